/// The 128-bit number that one migration is known by on every link: drawn at random by the proxy for
/// its PREPARE, carried by every message that belongs to the migration, and written into the mark
/// page as its nonce. A message that carries another one is late, from a cancelled migration, and is
/// ignored.
public struct MigrationID: Hashable, Sendable {
  public var high: UInt64
  public var low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Stands in messages that belong to no migration.
  public static let none = MigrationID(high: 0, low: 0)

  /// Draws an identity from the system's random source; never ``none``.
  public static func random() -> MigrationID {
    var generator = SystemRandomNumberGenerator()
    var identity = none
    while identity == none {
      identity = MigrationID(high: generator.next(), low: generator.next())
    }
    return identity
  }
}

extension MigrationID: CustomStringConvertible {
  /// 32 lowercase hexadecimal digits.
  public var description: String {
    func digits(_ value: UInt64) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return digits(high) + digits(low)
  }
}
