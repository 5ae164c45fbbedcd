/// A piece of the report: which pages of a stretch of guest-physical memory are held.
public struct HeldPages: Equatable, Sendable {
  public static let pageSize: UInt64 = 4096
  /// At most this many bitmap bytes travel in one message: 4 GiB of guest memory.
  public static let maximumBitmap = 128 * 1024

  /// The guest-physical page number (address / 4096) that bit 0 stands for; a multiple of 512, so
  /// that a piece covers whole 2 MiB of memory.
  public var firstPage: UInt64
  /// Bit n (byte n / 8, least significant bit first) is page `firstPage + n`; a multiple of 64 bytes.
  public var bitmap: [UInt8]

  public init(firstPage: UInt64, bitmap: [UInt8]) {
    self.firstPage = firstPage
    self.bitmap = bitmap
  }

  public var count: Int { bitmap.reduce(0) { $0 + $1.nonzeroBitCount } }
}

/// A run of guest-physical pages.
public struct PageRange: Equatable, Hashable, Sendable {
  public var first: UInt64
  public var count: UInt64

  public init(first: UInt64, count: UInt64) {
    self.first = first
    self.count = count
  }
}

/// How long one step took, for whoever wants to know where the time went.
public struct StepTime: Equatable, Sendable {
  public var step: String
  public var nanoseconds: UInt64

  public init(step: String, nanoseconds: UInt64) {
    self.step = step
    self.nanoseconds = nanoseconds
  }

  /// The most bytes that the steps of one message take; later ones are left out.
  private static let listLimit = 32 * 1024

  static func write(_ steps: [StepTime], to payload: inout PayloadWriter) {
    payload.put(list: steps, within: StepTime.listLimit) {
      $0.put($1.step, limit: 128)
      $0.put($1.nanoseconds)
    }
  }

  static func read(from payload: inout PayloadReader) throws(MessageError) -> [StepTime] {
    try payload.list("steps", minimumSize: 12) { reader throws(MessageError) in
      StepTime(
        step: try reader.text("step", limit: 128), nanoseconds: try reader.integer("nanoseconds"))
    }
  }
}
