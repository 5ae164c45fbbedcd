import PageFilter

/// One input: four bytes that choose, then what comes on a multifd channel.
///
/// | byte | chooses |
/// |---|---|
/// | 0 | bit 0: nothing is dead; bit 1: no mark |
/// | 1 | which pages are dead (a pattern over page numbers) |
/// | 2 | how many bytes the channel gives at a time, at most |
/// | 3 | the mark's page |
@c(LLVMFuzzerTestOneInput)
public func fuzzMultifd(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  guard let data = unsafe data, count > 4 else { return 0 }
  // The fuzzer gives `count` bytes that live during the call.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  let channel = Array(bytes[4...])
  let whole = MultifdRun(channel, choices: bytes, step: channel.count)
  let pieces = MultifdRun(channel, choices: bytes, step: 1 + Int(bytes[2]))
  precondition(whole.output == pieces.output, "the output depends on the cuts")
  precondition(whole.failure == pieces.failure, "the failure depends on the cuts")
  precondition(whole.editor.counters == pieces.editor.counters, "the account depends on the cuts")
  precondition(whole.editor.syncs == pieces.editor.syncs, "the syncs depend on the cuts")

  let counters = whole.editor.counters
  precondition(
    whole.output.count + whole.discarded == whole.consumed, "something was left out or put in")
  precondition(counters.droppedPages <= counters.normalPages, "more dropped than there were")
  if bytes[0] & 1 == 1 {
    precondition(whole.discarded == 0, "something was dropped and nothing was dead")
    if counters.markCopies == 0 {
      precondition(whole.output.elementsEqual(channel[..<whole.consumed]), "it was changed")
    }
  }
  // Whoever only reads comes at least as far, and to the same numbers.
  let read = Account(channel)
  precondition(read.consumed >= whole.consumed, "the reader gives up before the editor")
  if read.consumed == whole.consumed {
    precondition(
      read.normal == counters.normalPages && read.zero == counters.zeroPages
        && read.syncs >= whole.editor.syncs, "the reader counts otherwise")
  }
  return 0
}

/// A channel, pushed through an editor as a channel's thread does it.
struct MultifdRun {
  var output: [UInt8] = []
  var discarded = 0
  var consumed = 0
  var failure: BypassReason?
  var editor = MultifdEditor()

  init(_ channel: [UInt8], choices: [UInt8], step: Int) {
    let blocks = [
      RAMBlock(name: "pc.ram", usedLength: 256 * 4096),
      RAMBlock(name: "pc.bios", usedLength: 16 * 4096),
    ]
    let pattern = UInt64(choices[1]) &* 0x0101_0101_0101_0101
    let dead = DeadPages(pagesPerBlock: [choices[0] & 1 == 1 ? 0 : 256, 0])
    if choices[0] & 1 == 0 {
      for first in stride(from: 0, to: 256, by: 64) {
        dead.insert(bits: pattern, at: first, block: 0)
      }
    }
    // Short, so that the fuzzer finds pages that carry it.
    let mark = MarkRule(
      address: PageAddress(block: 0, page: Int(choices[3])), identification: [0x6d],
      identificationOffset: 16, verdict: [1, 2, 3, 4], verdictOffset: 64)
    var packet = MultifdPacket()
    var header: [UInt8] = []
    var at = 0
    do throws(BypassReason) {
      while true {
        // Borrowed for the call only.
        switch try unsafe editor.process(header.span.bytes, into: &packet) {
        case .needsHeader(let total):
          precondition(total > header.count, "it wants what it has")
          let more = min(step, total - header.count, channel.count - at)
          guard more > 0 else { return }
          header += channel[at..<at + more]
          at += more
        case .firstPages:
          editor.begin(blocks: blocks, dead: dead, mark: choices[0] & 2 == 2 ? nil : mark)
        case .decided:
          precondition(packet.header.count == header.count, "a header changes its length")
          output += packet.header
          for run in packet.runs {
            let end = min(at + run.count, channel.count)
            var bytes = Array(channel[at..<end])
            at = end
            switch run {
            case .discard: discarded += bytes.count
            case .mark where bytes.count == run.count:
              editor.passMark(&bytes)
              output += bytes
            case .mark, .probe, .forward: output += bytes
            }
          }
          consumed = at
          guard at < channel.count else { return }
          editor.passed(packet)
          header = []
        }
      }
    } catch {
      failure = error
    }
  }
}

/// What a reader of headers makes of a channel.
struct Account {
  var consumed = 0
  var normal = 0
  var zero = 0
  var syncs = 0

  init(_ channel: [UInt8]) {
    var isFirst = true
    // The array outlives the span.
    let bytes = unsafe channel.span.bytes
    while consumed < channel.count,
      case .header(let header, let length)? = try? MultifdHeader.read(
        bytes.extracting(consumed..<channel.count), isFirst: isFirst)
    {
      isFirst = false
      var payload = 0
      switch header {
      case .hello: break
      case .deviceState(_, _, let count): payload = count
      case .pages(let packet):
        payload = packet.payload
        normal += packet.normal
        zero += packet.zero
        if packet.isSync { syncs += 1 }
      }
      consumed = min(consumed + length + payload, channel.count)
    }
  }
}
