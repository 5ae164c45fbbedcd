import PageFilter

/// One input: eight bytes that choose, then a stream.
///
/// | byte | chooses |
/// |---|---|
/// | 0 | bit 0: nothing is dead; bit 1: dead pages are taken out between two pieces; bit 2: no mark; bits 3 and 4: the channel (``Beginning``); bit 5: a recorded one |
/// | 1 | which pages are dead (a pattern over page numbers) |
/// | 2 to 5 | seed of the places where the stream is cut |
/// | 6 | the mark's page; the probes are after it, and in the second block |
/// | 7 | the bypass: after so many stops, 0 for never |
@c(LLVMFuzzerTestOneInput)
public func fuzzPageFilter(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  guard let data = unsafe data, count > 8 else { return 0 }
  // The fuzzer gives `count` bytes that live during the call.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  let choices = Choices(bytes[..<8])
  let stream = Array(bytes[8...])

  let whole = Run(stream, choices, cutAt: [])
  whole.check(stream, nothingIsDead: choices.nothingIsDead)
  // Pages that are taken out meanwhile make the cut matter.
  let cuts = choices.cuts(of: stream.count)
  let pieces = Run(stream, choices, cutAt: cuts)
  pieces.check(stream, nothingIsDead: choices.nothingIsDead)
  guard !choices.removesPages else { return 0 }
  precondition(whole.stops == pieces.stops, "the stop points depend on the cuts")
  precondition(whole.failure == pieces.failure, "the failure depends on the cuts")
  precondition(whole.bypassReason == pieces.bypassReason, "the bypass depends on the cuts")
  precondition(whole.bypassOffset == pieces.bypassOffset, "the bypass's place depends on the cuts")
  precondition(whole.unreadOffset == pieces.unreadOffset, "what is unread depends on the cuts")
  precondition(whole.blockPages == pieces.blockPages, "the blocks' account depends on the cuts")
  guard whole.failure == nil else { return 0 }
  precondition(whole.output == pieces.output, "the output depends on the cuts")
  precondition(whole.counters == pieces.counters, "the account depends on the cuts")
  return 0
}

/// What the first bytes of an input choose.
struct Choices {
  let nothingIsDead: Bool
  let removesPages: Bool
  let beginning: Beginning
  let mark: MarkRule?
  let probes: [ProbeRule]
  let pattern: UInt64
  private let seed: UInt64

  init(_ bytes: ArraySlice<UInt8>) {
    let bytes = Array(bytes)
    let isRecorded = bytes[0] & 32 == 32
    nothingIsDead = bytes[0] & 1 == 1 || isRecorded
    removesPages = bytes[0] & 2 == 2 && !isRecorded
    beginning = isRecorded ? .recorded : Beginning.allCases[Int(bytes[0] >> 3 & 3)]
    // The identification is short, so that the fuzzer finds pages that carry it.
    mark =
      bytes[0] & 4 == 4 || isRecorded
      ? nil
      : MarkRule(
        address: PageAddress(block: 0, page: Int(bytes[6])), identification: [0x6d],
        identificationOffset: 16, verdict: [1, 2, 3, 4], verdictOffset: 64)
    let page = Int(bytes[6])
    let probed = isRecorded ? [] : [(0, page + 1), (0, page * 2 + 2), (1, page)]
    probes = probed.map {
      ProbeRule(address: PageAddress(block: $0.0, page: $0.1), identification: [0x70])
    }
    pattern = UInt64(bytes[1]) &* 0x0101_0101_0101_0101
    seed = bytes[2..<6].reduce(1) { $0 << 8 | UInt64($1) }
  }

  /// Up to 64 places, many of them close together.
  func cuts(of count: Int) -> [Int] {
    var state = seed
    var cuts: Set<Int> = []
    var last = 0
    for _ in 0..<64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let random = Int(state >> 33)
      last = random & 1 == 0 ? last + (random >> 1) % 24 : (random >> 1) % (count + 1)
      if last <= count { cuts.insert(last) }
    }
    return cuts.sorted()
  }

  func dead(_ blocks: [RAMBlock], pageSize: Int) -> DeadPages {
    // A block of any length must not cost memory of any size.
    let pages = blocks.map { nothingIsDead ? 0 : Int(min($0.usedLength / UInt64(pageSize), 256)) }
    let dead = DeadPages(pagesPerBlock: pages)
    for (block, count) in pages.enumerated() {
      for page in 0..<count where pattern >> UInt64(page % 64) & 1 == 1 {
        dead.insert(page..<page + 1, block: block)
      }
    }
    return dead
  }
}
