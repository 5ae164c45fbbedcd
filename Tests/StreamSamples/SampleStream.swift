/// A synthetic migration stream, and what is known about it because it was put together and not
/// parsed: where each page record lies and where a reader has to stop.
public struct SampleStream: Sendable {
  public var name: String
  public var bytes: [UInt8]
  /// In bytes.
  public var pageSize: Int
  public var blocks: [Block]
  public var records: [PageRecord]
  public var stops: [StopPoint]

  /// A RAM block of the MEM_SIZE list, with the field that may follow its length.
  public struct Block: Equatable, Sendable {
    public var name: String
    /// In pages.
    public var pages: Int
    public var hostPageSize: UInt64?
    public var regionAddress: UInt64?
    /// QEMU 4.0 says it after the address.
    public var isShared: Bool?

    public init(
      _ name: String, pages: Int, hostPageSize: UInt64? = nil, regionAddress: UInt64? = nil,
      isShared: Bool? = nil
    ) {
      self.name = name
      self.pages = pages
      self.hostPageSize = hostPageSize
      self.regionAddress = regionAddress
      self.isShared = isShared
    }
  }

  public struct Place: Hashable, Sendable {
    public var block: Int
    public var page: Int

    public init(_ block: Int, _ page: Int) {
      self.block = block
      self.page = page
    }
  }

  /// A PAGE or ZERO record.
  public struct PageRecord: Equatable, Sendable {
    /// Of the record's first byte in the stream.
    public var offset: Int
    /// First word and name.
    public var headerLength: Int
    public var place: Place
    public var isZero: Bool
  }

  public enum StopKind: Equatable, Sendable {
    case blockListKnown, firstPageRecord, endOfRAM, postcopySwitchover, probePassed, bypass
  }

  public struct StopPoint: Equatable, Sendable {
    public var kind: StopKind
    /// Bytes of the stream before it.
    public var offset: Int

    public init(_ kind: StopKind, at offset: Int) {
      self.kind = kind
      self.offset = offset
    }
  }

  /// The mark page as the oracle knows it.
  public struct Mark: Sendable {
    public var place: Place
    public var identification: [UInt8]
    public var identificationOffset: Int
    public var verdict: [UInt8]
    public var verdictOffset: Int

    public init(
      place: Place, identification: [UInt8], identificationOffset: Int, verdict: [UInt8],
      verdictOffset: Int
    ) {
      self.place = place
      self.identification = identification
      self.identificationOffset = identificationOffset
      self.verdict = verdict
      self.verdictOffset = verdictOffset
    }
  }

  public func range(of record: PageRecord) -> Range<Int> {
    let length = record.headerLength + (record.isZero ? 1 : pageSize)
    return record.offset..<record.offset + length
  }

  /// What an editor has to make of the stream: the oracle.
  ///
  /// - Parameters:
  ///   - isDead: whether a page is dead when the record at the given offset is met.
  public func edited(
    mark: Mark? = nil, isDead: (_ place: Place, _ offset: Int) -> Bool
  ) -> [UInt8] {
    var output: [UInt8] = []
    var copied = 0
    for record in records where !record.isZero {
      let range = range(of: record)
      let content = range.lowerBound + record.headerLength
      if let mark, mark.place == record.place {
        let found = bytes[(content + mark.identificationOffset)...]
        guard found.starts(with: mark.identification) else { continue }
        output += bytes[copied..<content + mark.verdictOffset] + mark.verdict
        copied = content + mark.verdictOffset + mark.verdict.count
      } else if isDead(record.place, record.offset) {
        output += bytes[copied..<record.offset]
        // PAGE is 8, ZERO is 2; both lie in the eighth byte of the first word.
        var header = Array(bytes[record.offset..<content])
        header[7] = header[7] & ~0x08 | 0x02
        output += header + [0]
        copied = range.upperBound
      }
    }
    return output + bytes[copied...]
  }
}

extension SampleStream: CustomStringConvertible {
  public var description: String { name }
}
