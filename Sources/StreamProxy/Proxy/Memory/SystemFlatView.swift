/// What lies where in the guest's physical address space: the flat view of the address space
/// `memory`, out of the human monitor's `info mtree -f` (`mtree_print_flatview` in QEMU's
/// system/memory.c).
///
///     FlatView #2
///      AS "memory", root: system
///      AS "cpu-memory-0", root: system
///      Root memory region: system
///       0000000000000000-000000000009ffff (prio 0, ram): pc.ram
///       00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
///       0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000
///
/// The name is the memory region's, and the number after `@` the offset in it, 0 where there is
/// none. Under KVM every range that has a memory slot ends with ` KVM`, once per address space. What else
/// a later release prints there matters only where it speaks of RAM.
struct SystemFlatView: Equatable {
  struct Range: Equatable {
    var start: UInt64
    /// The last address, as printed: a range may end at the very end of the address space.
    var last: UInt64
    /// `ram`, `rom`, `romd`, `ramd`, `i/o`, with `nv-` before it for persistent memory.
    var type: String
    var name: String
    var offset: UInt64
  }

  private(set) var ranges: [Range] = []

  init(parsing text: String) throws(MemoryMapError) {
    var isInView = false
    var wasFound = false
    for line in text.split(whereSeparator: \.isNewline) {
      if line.hasPrefix("FlatView #") {
        if wasFound { break }
        isInView = false
      } else if line.hasPrefix(" AS \"memory\", root: system") {
        isInView = true
        wasFound = true
      } else if isInView, line.hasPrefix("  ") {
        if let range = Range(parsing: line) {
          ranges.append(range)
        } else if line.contains("ram)") {
          throw .unreadable(command: "info mtree -f", line: String(line))
        }
      }
    }
    guard wasFound else {
      throw .unreadable(command: "info mtree -f", line: "(no address space \"memory\")")
    }
  }
}

extension SystemFlatView.Range {
  fileprivate init?(parsing line: Substring) {
    let words = line.split(separator: " ", maxSplits: 1)
    guard words.count == 2 else { return nil }
    let bounds = words[0].split(separator: "-")
    guard bounds.count == 2, let start = UInt64(bounds[0], radix: 16),
      let last = UInt64(bounds[1], radix: 16), start <= last
    else { return nil }
    // "(prio N, TYPE): NAME[ @OFFSET][ KVM…]"; neither N nor TYPE has a colon or a parenthesis.
    guard words[1].hasPrefix("(prio "), let colon = words[1].firstIndex(of: ":"),
      let comma = words[1][..<colon].lastIndex(of: ","),
      words[1][..<colon].hasSuffix(")")
    else { return nil }
    type = words[1][words[1].index(after: comma)..<colon].dropLast().trimmingSpaces()
    var rest = words[1][words[1].index(after: colon)...].dropFirst()
    while rest.hasSuffix(" KVM") { rest = rest.dropLast(4) }
    offset = 0
    if let at = rest.lastIndex(of: "@"), rest[..<at].hasSuffix(" ") {
      guard let value = UInt64(rest[rest.index(after: at)...], radix: 16) else { return nil }
      offset = value
      rest = rest[..<at].dropLast()
    }
    name = String(rest)
    self.start = start
    self.last = last
  }
}

extension Substring {
  fileprivate func trimmingSpaces() -> String { String(drop { $0 == " " }) }
}
