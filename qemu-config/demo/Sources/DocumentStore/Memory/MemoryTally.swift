/// What a ``WatchedMemory`` has seen so far; as text `pages=… checked=… passes=… corrupted=…`.
public struct MemoryTally: Equatable, Sendable {
  /// Pages that are owned.
  public var pages: UInt64 = 0
  /// Pages that were looked at, each time counted.
  public var checked: UInt64 = 0
  /// How often all of the memory has been looked at.
  public var passes: UInt64 = 0
  /// Pages that did not hold what was written, each time they were seen so.
  public var corrupted: UInt64 = 0

  public init() {}

  public init?(_ text: String) {
    for word in text.split(whereSeparator: \.isWhitespace) {
      let pair = word.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, let value = UInt64(pair[1]) else { return nil }
      switch pair[0] {
      case "pages": pages = value
      case "checked": checked = value
      case "passes": passes = value
      case "corrupted": corrupted = value
      default: return nil
      }
    }
  }

  public var text: String {
    "pages=\(pages) checked=\(checked) passes=\(passes) corrupted=\(corrupted)"
  }
}
