import HookLink
import PageFilter
import Synchronization

/// Enters what the guest reports, which is guest-physical pages, into the dead pages of the stream,
/// which are pages of RAM blocks; those of a segment of the guest's memory only when one of its probes
/// has passed where it was expected. So nothing is ever dropped on the strength of a map that is wrong,
/// and nothing about it is left to be proven in the end.
final class ReportedPages: Sendable {
  /// A segment of guest RAM in the stream.
  private struct Place {
    var segment: GuestMemoryMap.Segment
    /// The block's index in the stream's list.
    var block: Int
    /// Counted from the beginning of the block.
    var pages: Range<Int>
  }

  private struct Probe {
    var address: UInt64
    var page: PageAddress
    /// Index into ``places``.
    var place: Int
  }

  private struct State {
    var probes: [Probe] = []
    var proven: Set<Int> = []
    /// Nothing more becomes dead.
    var isClosed = false
    /// Everything has been taken back, and nothing reported since.
    var isEmpty = false
  }

  let map: GuestMemoryMap
  /// What may be dropped now.
  let dead: DeadPages
  /// What the guest has reported and not taken back.
  private let reported: DeadPages
  private let places: [Place]
  /// Taken by whoever makes pages dead or takes them back: what was taken back never comes again.
  private let state = Mutex(State())

  /// Adopts the stream's own list of blocks.
  ///
  /// - Throws: ``MismatchError`` where QMP and the stream do not agree.
  init(map: GuestMemoryMap, streamBlocks: [RAMBlock]) throws(MismatchError) {
    var map = map
    let listed = streamBlocks.map { (name: $0.name, usedLength: $0.usedLength) }
    if let mismatch = map.adopt(streamBlocks: listed) { throw MismatchError(sentence: mismatch) }
    self.map = map
    let size = GuestMemoryMap.pageSize
    places = map.segments.compactMap { segment in
      guard let block = map.streamIndex(of: segment) else { return nil }
      let first = Int(segment.offsetInBlock / size)
      return Place(
        segment: segment, block: block, pages: first..<first + Int(segment.length / size))
    }
    guard places.count <= HostMessage.Prepare.maximumSegments else {
      throw MismatchError(
        sentence: """
          the guest's memory lies in \(places.count) pieces, and the guest can be told of \
          \(HostMessage.Prepare.maximumSegments)
          """)
    }
    let mapped = Set(map.blocks.map(\.name))
    let pages = streamBlocks.map { block in
      mapped.contains(block.name) ? Int(block.usedLength / size) : 0
    }
    dead = DeadPages(pagesPerBlock: pages)
    reported = DeadPages(pagesPerBlock: pages)
  }

  /// Pages of all segments together.
  var pageCount: UInt64 { places.reduce(0) { $0 + UInt64($1.pages.count) } }

  struct MismatchError: Error {
    var sentence: String
  }

  /// What the guest is told of its memory.
  var segments: [MemorySegment] {
    places.map {
      MemorySegment(start: $0.segment.guestPhysicalStart, length: $0.segment.length)
    }
  }

  // MARK: The report

  /// Enters one piece of the report; how many pages it names.
  ///
  /// - Throws: ``ReportError`` where a page is not guest RAM; nothing of the piece is entered then.
  func add(_ held: HeldPages) throws(ReportError) -> Int {
    var count = 0
    state.withLock { $0.isEmpty = false }
    try map.forEachRun(in: held) { block, pages in
      reported.insert(Int(pages.lowerBound)..<Int(pages.upperBound), block: block)
      count += pages.count
    }
    return count
  }

  /// Takes the report's probes in, by their guest-physical addresses.
  ///
  /// - Throws: ``ReportError`` where one is not guest RAM.
  func add(probes: [UInt64]) throws(ReportError) {
    var found: [Probe] = []
    for address in Set(probes).sorted() {
      guard let page = locate(guestPhysicalAddress: address),
        let place = places.firstIndex(where: {
          $0.block == page.block && $0.pages.contains(page.page)
        })
      else { throw .outsideRAM(address: address, region: nil) }
      found.append(Probe(address: address, page: page, place: place))
      // It is to cross, whatever the pieces say.
      reported.remove(page.page..<page.page + 1, block: page.block)
    }
    state.withLock { $0.probes = found }
  }

  /// What is to be watched for; the places in the list are the probes' numbers.
  func probeRules(for migration: MigrationID) -> [ProbeRule] {
    state.withLock { $0.probes }.map {
      ProbeRule(
        address: $0.page, identification: ProbePage.identification(for: migration, at: $0.address))
    }
  }

  /// Reported pages, by the beginnings of their segments: of those without a probe, or of those whose
  /// probes have not passed.
  func unproven(withProbe: Bool) -> [(start: UInt64, pages: Int)] {
    let (probed, proven) = state.withLock { (Set($0.probes.map(\.place)), $0.proven) }
    return pages { probed.contains($0) == withProbe && !proven.contains($0) }
  }

  /// Reported pages that may be, or have been, dropped, by the beginnings of their segments.
  var proven: [(start: UInt64, pages: Int)] {
    let proven = state.withLock { $0.proven }
    return pages { proven.contains($0) }
  }

  private func pages(of place: (Int) -> Bool) -> [(start: UInt64, pages: Int)] {
    places.indices.filter(place).compactMap { index in
      let count = reported.count(places[index].pages, block: places[index].block)
      return count > 0 ? (places[index].segment.guestPhysicalStart, count) : nil
    }
  }

  // MARK: While the migration runs

  /// A probe has passed where it was expected: its segment's reported pages are dead from here on.
  func prove(_ probe: Int) {
    state.withLock { state in
      guard !state.isClosed, state.probes.indices.contains(probe),
        state.proven.insert(state.probes[probe].place).inserted
      else { return }
      let place = places[state.probes[probe].place]
      dead.insert(place.pages, block: place.block, of: reported)
    }
  }

  /// From here on no probe proves anything.
  func close() { state.withLock { $0.isClosed = true } }

  /// Whether pages of any segment may be, or have been, dropped.
  var isAnythingProven: Bool { state.withLock { !$0.proven.isEmpty } }

  /// After the return none of these pages will be dropped; addresses that are no RAM are ignored.
  func revoke(_ range: PageRange) {
    state.withLock { state in
      guard !state.isEmpty else { return }
      map.forEachMappedRun(in: range) { block, pages in
        let pages = Int(pages.lowerBound)..<Int(pages.upperBound)
        reported.remove(pages, block: block)
        dead.remove(pages, block: block)
      }
    }
  }

  /// After the return nothing will be dropped, whatever passes.
  func revokeAll() {
    state.withLock { state in
      guard !state.isEmpty else { return }
      (state.isClosed, state.isEmpty) = (true, true)
      reported.removeAll()
      dead.removeAll()
    }
  }

  /// Where a guest-physical address is in the stream; nil where it is no guest RAM.
  func locate(guestPhysicalAddress address: UInt64) -> PageAddress? {
    var found: PageAddress?
    let page = PageRange(first: address / GuestMemoryMap.pageSize, count: 1)
    map.forEachMappedRun(in: page) { block, pages in
      found = PageAddress(block: block, page: Int(pages.lowerBound))
    }
    return found
  }
}
