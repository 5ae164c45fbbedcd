/// A page that proves, by passing where it is expected with these bytes at its beginning, that the
/// expectation is right. It passes as it is.
public struct ProbeRule: Sendable {
  public let address: PageAddress
  /// What the page begins with.
  public let identification: [UInt8]

  /// - Precondition: the identification fits into a target page of 4096 bytes.
  public init(address: PageAddress, identification: [UInt8]) {
    precondition(identification.count <= 4096)
    self.address = address
    self.identification = identification
  }
}

/// The few pages that an editor looks at: the mark page and the probes.
///
/// Pages mostly come in rising order, so an editor keeps ``first(from:in:)`` and compares each page
/// with that one number; it asks again when it has come there, and where pages start again.
struct WatchedPages: Sendable {
  enum Kind: Equatable {
    case mark
    /// Index into ``probes``.
    case probe(Int)
  }

  private(set) var mark: MarkRule?
  private(set) var probes: [ProbeRule] = []
  /// By block, rising.
  private var pages: [Int: [UInt64]] = [:]
  private var kinds: [PageAddress: Kind] = [:]

  mutating func watch(_ rule: MarkRule) {
    mark = rule
    arrange()
  }

  mutating func watch(_ rules: [ProbeRule]) {
    probes = rules
    arrange()
  }

  private mutating func arrange() {
    kinds.removeAll()
    for (index, probe) in probes.enumerated() { kinds[probe.address] = .probe(index) }
    if let mark { kinds[mark.address] = .mark }
    pages = Dictionary(grouping: kinds.keys, by: \.block)
      .mapValues { $0.map { UInt64($0.page) }.sorted() }
  }

  /// The first watched page of `block` that is not before `page`, or the largest number there is.
  func first(from page: UInt64, in block: Int) -> UInt64 {
    guard let pages = pages[block] else { return .max }
    var low = 0
    var high = pages.count
    while low < high {
      let middle = (low + high) / 2
      if pages[middle] < page { low = middle + 1 } else { high = middle }
    }
    return low < pages.count ? pages[low] : .max
  }

  func kind(of page: UInt64, in block: Int) -> Kind? {
    kinds[PageAddress(block: block, page: Int(page))]
  }
}

/// Goes along the pages of one block and tells which are watched.
struct WatchedPagesCursor {
  private let watched: WatchedPages
  private let block: Int
  private var next: UInt64
  private var last: UInt64 = 0

  init(_ watched: WatchedPages, block: Int) {
    self.watched = watched
    self.block = block
    next = watched.first(from: 0, in: block)
  }

  @inline(__always)
  mutating func isWatched(_ page: UInt64) -> Bool {
    if page >= next || page < last { next = watched.first(from: page, in: block) }
    last = page
    return page == next
  }
}
