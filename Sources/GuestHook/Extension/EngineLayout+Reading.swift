import CExtensionShims

// The tables of an engine that no layout fits: a release that is not known, or a build between releases. They
// are read from its handles by the names that the methods call themselves. What has no name, because it is
// a few instructions, is known by its neighbours, which wiredtiger.h has never changed.

extension EngineLayout.Table {
  /// A table begins after a handle's own few words.
  private static let lastFirst: Int32 = 8
  /// More methods than any handle has.
  private static let mostMethods: Int32 = 64

  /// nil where the connection has other methods, or has them elsewhere.
  init?(connection handle: UnsafeMutableRawPointer) {
    unsafe self.init(handle, "WT_CONNECTION", [.close, .reconfigure, .openSession])
    guard let reconfigure = slots[.reconfigure] else { return nil }
    // Between reconfigure and the first of these that the release has.
    let next = ["compile_configuration", "configure_method"]
    guard unsafe !isNamed(handle, reconfigure + 1),
      next.contains(where: { unsafe isNamed(handle, reconfigure + 2, $0) })
    else { return nil }
    slots[.home] = reconfigure + 1
    // An engine without it has nothing to be kept apart from.
    slots[.rollbackToStable] = unsafe only(
      handle, named: EngineLayout.Method.rollbackToStable.rawValue)
  }

  init?(session handle: UnsafeMutableRawPointer) {
    unsafe self.init(handle, "WT_SESSION", [.close, .openCursor, .checkpoint])
  }

  /// - Parameter handle: of a kind all of whose methods are the engine's own, such as one on `metadata:`.
  init?(cursor handle: UnsafeMutableRawPointer) {
    unsafe self.init(handle, "WT_CURSOR", [.next, .reset, .searchNear, .close])
    guard let compare = unsafe only(handle, named: "compare") else { return nil }
    // get_key and get_value, get_raw_key_value where the release has it, set_key and set_value; each calls
    // itself by one of these names, as which it works, or by none.
    let names = ["get_key", "get_value", "get_raw_key_value", "set_key", "set_value"]
    guard [names.count, names.count - 1].contains(Int(compare - first)),
      (first..<compare).allSatisfy({ slot in
        unsafe !isNamed(handle, slot) || names.contains { unsafe isNamed(handle, slot, $0) }
      })
    else { return nil }
    slots[.key] = first
    slots[.value] = first + 1
    slots[.setKey] = compare - 2
  }

  /// - Parameter methods: each must be one word of the table, and only one.
  private init?(
    _ handle: UnsafeMutableRawPointer, _ name: String, _ methods: [EngineLayout.Method]
  ) {
    func word(_ slot: Int32) -> UnsafeMutableRawPointer? { unsafe leafcutter_slot(handle, slot) }
    let begin = (0...EngineLayout.Table.lastFirst).first {
      unsafe leafcutter_is_function(word($0), word($0))
    }
    guard let begin else { return nil }
    var end = begin + 1
    while end - begin <= EngineLayout.Table.mostMethods,
      unsafe leafcutter_is_function(word(begin), word(end))
    { end += 1 }
    self.init(handle: name, first: begin, count: end - begin, slots: [:])
    for method in methods {
      guard let slot = unsafe only(handle, named: method.rawValue) else { return nil }
      slots[method] = slot
    }
  }

  /// The word whose function, and no other, calls itself that.
  private func only(_ handle: UnsafeMutableRawPointer, named name: String) -> Int32? {
    let found = (first..<first + count).filter { unsafe isNamed(handle, $0, name) }
    return found.count == 1 ? found[0] : nil
  }

  /// Whether a word's function calls itself that, or, without a name, by any method's of this handle.
  private func isNamed(
    _ handle: UnsafeMutableRawPointer, _ slot: Int32, _ name: String? = nil
  ) -> Bool {
    let function = unsafe leafcutter_slot(handle, slot)
    guard let name else { return unsafe leafcutter_names_any(function, "\(self.handle).") }
    return unsafe leafcutter_names_itself(function, "\(self.handle).\(name)")
  }
}
