import HookLink

/// The memory of two guests, compared from outside, all of it, block by block.
public struct MemoryComparison: Sendable {
  /// What may differ between a source and its destination.
  public struct Allowance: Sendable {
    /// Held pages may be zero.
    public var dropped = false
    /// The destination's guest runs: what it changes goes on changing.
    public var runs = false
    /// The source has given its memory away (release-ram): only what is known is compared.
    public var sourceIsEmpty = false
    /// The source's guest has gone on.
    public var sourceGoesOn = false
    /// Once held, and then taken anew by the guest, which changes it (see ``MigrationBench/reuse(_:)``).
    public var reused: Range<UInt64>?
    public init() {}
  }

  /// Pages that are not what they must be.
  public private(set) var unexpected = 0
  /// Where the first of them is, and what it is.
  public private(set) var first: String?
  /// Held pages that are zero at the destination, and all, by segment.
  public private(set) var zeroHeld: [(zero: Int, all: Int)] = []

  public var isEqual: Bool { unexpected == 0 }

  /// Whether at least this share of every segment's held pages was dropped.
  public func isDropped(atLeast share: Double) -> Bool {
    zeroHeld.allSatisfy { Double($0.zero) >= share * Double($0.all) && $0.all > 0 }
  }

  public init(
    _ content: GuestContent, source: [GuestMemoryFile], destination: [GuestMemoryFile],
    allowing allowance: Allowance
  ) {
    for (index, segment) in content.layout.segments.enumerated() {
      var held = (zero: 0, all: 0)
      let (one, other) = (source[segment.block], destination[segment.block])
      let pageSize = GuestMemoryFile.pageSize
      for position in stride(from: 0, to: segment.length, by: pageSize) {
        let offset = segment.offset + position
        let address = segment.start + UInt64(position)
        let isReused = allowance.reused?.contains(address) == true
        let page = isReused ? .changing : content.page(at: address, segment: index)
        let asSent = MemoryComparison.isAsSent(page, address, one, other, offset, allowance)
        if page == .held {
          held.all += 1
          if other.isZero(at: offset) {
            held.zero += 1
            if allowance.dropped { continue }
          }
        }
        if asSent { continue }
        unexpected += 1
        if first == nil {
          first = """
            the \(page) page at \(String(address, radix: 16)) (hexadecimal) holds \
            \(String(other.word(UInt64.self, at: offset), radix: 16))
            """
        }
      }
      zeroHeld.append(held)
    }
  }

  /// Where a probe page has its own address.
  private static let probeAddress = 32

  private static func isAsSent(
    _ page: GuestContent.Page, _ address: UInt64, _ source: GuestMemoryFile,
    _ destination: GuestMemoryFile, _ offset: Int, _ allowance: Allowance
  ) -> Bool {
    let pageSize = GuestMemoryFile.pageSize
    func equal(_ range: Range<Int>) -> Bool {
      source.isEqual(to: destination, at: offset + range.lowerBound, count: range.count)
    }
    switch page {
    case .filled, .held:
      let isKnown =
        destination.isFilled(with: address, at: offset)
        || page == .held && destination.isZero(at: offset) && source.isZero(at: offset)
      return isKnown && (allowance.sourceIsEmpty || equal(0..<pageSize))
    case .changing:
      guard destination.word(UInt64.self, at: offset) == address,
        destination.isFilled(with: address, at: offset, from: 2)
      else { return false }
      let there = destination.word(UInt64.self, at: offset + 8)
      let here = source.word(UInt64.self, at: offset + 8)
      return allowance.sourceIsEmpty || here == there || allowance.runs && here < there
        || allowance.sourceGoesOn && there < here
    case .probe:
      // As the guest has filled it, where it was never asked to report.
      let signature = Array(destination.page(at: offset).prefix(ProbePage.signature.count))
      let isProbe =
        signature == ProbePage.signature
        && destination.word(UInt64.self, at: offset + MemoryComparison.probeAddress) == address
      return (isProbe || destination.isFilled(with: address, at: offset))
        && (allowance.sourceIsEmpty || equal(0..<pageSize))
    case .mark:
      // The verdict is in the copies only; counter and time go on where the guest does.
      let verdict = MarkPage.Offset.verdict..<MarkPage.Offset.verdict + 32
      let moving = MarkPage.Offset.counter..<MarkPage.Offset.counter + 16
      let moves = allowance.runs || allowance.sourceGoesOn
      return allowance.sourceIsEmpty
        || equal(0..<moving.lowerBound) && (moves || equal(moving))
          && equal(moving.upperBound..<verdict.lowerBound) && equal(verdict.upperBound..<pageSize)
    case .untouched:
      // The guest's mailbox and page tables are in the first MiB. Who has the guest take other pages
      // writes into the mailbox, from outside.
      let isMailbox = allowance.reused != nil && address == UInt64(Firmware.Mailbox.done)
      return isMailbox || allowance.sourceIsEmpty || equal(0..<pageSize)
    }
  }
}
