/// The key under which clients know a document: "user" and 16 hexadecimal digits, scattered over the
/// key space like YCSB's hashed keys. Each record id has its own, because the scattering is one to one.
public struct UserKey: Sendable {
  public static let length = 20
  /// The text and the NUL that WiredTiger's string keys end in.
  private var bytes = InlineArray<21, UInt8>(repeating: 0)

  public init(recordID: Int64) { self.init(hash: UserKey.hash(of: recordID)) }

  /// - Parameter hash: As ``hash(of:)`` gives it; the keys sort like their hashes.
  public init(hash: UInt64) {
    bytes[0] = UInt8(ascii: "u")
    bytes[1] = UInt8(ascii: "s")
    bytes[2] = UInt8(ascii: "e")
    bytes[3] = UInt8(ascii: "r")
    for digit in 0..<16 {
      let value = UInt8(truncatingIfNeeded: hash >> UInt64(60 - 4 * digit)) & 15
      bytes[4 + digit] = value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
  }

  public static func hash(of recordID: Int64) -> UInt64 {
    SplitMix64.mix(UInt64(bitPattern: recordID))
  }

  /// Lends the NUL-terminated text for the duration of the call.
  func withCString<Result, Failure: Error>(
    _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // 21 bytes that end in NUL, alive during the call; UInt8 and CChar have the same layout.
    try unsafe bytes.span.withUnsafeBytes { buffer throws(Failure) in
      try unsafe body(buffer.baseAddress!.assumingMemoryBound(to: CChar.self))
    }
  }
}
