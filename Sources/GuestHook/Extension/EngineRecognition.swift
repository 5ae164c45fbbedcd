import CExtensionShims

extension EngineLayout.Table {
  /// Whether a handle's table is this one: exactly as many words in a row lead to functions of one
  /// module, and each method that is used and names itself in its code
  /// (Sources/GuestHook/ExtensionShims/method_names.c) is where it should be. Nothing is called. One
  /// word before the first and one after the last are looked at; both belong to the handle.
  ///
  /// - Parameter except: methods that a handle of this kind need not have.
  func matches(
    _ handle: UnsafeMutableRawPointer, except: Set<EngineLayout.Method> = []
  ) -> Bool {
    guard let code = unsafe leafcutter_slot(handle, first) else { return false }
    func isMethod(_ slot: Int32) -> Bool {
      unsafe leafcutter_is_function(code, leafcutter_slot(handle, slot))
    }
    let end = first + count
    guard (first..<end).allSatisfy(isMethod), !isMethod(end), first == 0 || !isMethod(first - 1)
    else { return false }
    return slots.allSatisfy { method, slot in
      guard method.namesItself, !except.contains(method) else { return true }
      return unsafe leafcutter_names_itself(
        leafcutter_slot(handle, slot), "\(self.handle).\(method.rawValue)")
    }
  }
}
