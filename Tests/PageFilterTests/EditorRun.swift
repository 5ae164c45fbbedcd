import Glibc
import PageFilter
import StreamSamples

/// One stream pushed through an editor in pieces, as the proxy does it: what is not consumed is
/// presented again with the next piece after it.
struct EditorRun {
  var output: [UInt8] = []
  var stops: [SampleStream.StopPoint] = []
  var failure: StreamError?
  var consumed = 0
  var bypassReason: BypassReason?
  var bypassOffset: UInt64?
  var counters = StreamCounters()
  var rounds: [RoundCounters] = []
  var blocks: [RAMBlock] = []
  var sections: [SectionCounters] = []
  var commands: [Int: Int] = [:]
  var machine: String?
  var lastMarkCopy: [UInt8]?
  var truncation: String?
  var targetPageSize = 0
  var isBackgroundSnapshot = false

  /// - Parameters:
  ///   - readsOnly: whether it is one that edits nothing.
  ///   - cuts: offsets in rising order at which the input is cut.
  ///   - atStop: called at each stop point, where a caller may install what it has learned.
  ///   - afterPiece: called when a piece has been processed, with the offset of its end.
  init(
    _ bytes: [UInt8], readsOnly: Bool = false, cuts: some Sequence<Int> = [],
    atStop: (StreamEditor.StopPoint, inout StreamEditor) -> Void = { _, _ in },
    afterPiece: (Int, inout StreamEditor) -> Void = { _, _ in }
  ) {
    var editor = StreamEditor(readsOnly: readsOnly)
    var edits = EditList()
    output.reserveCapacity(bytes.count)
    var iterator = cuts.makeIterator()
    var start = 0
    var end = 0
    repeat {
      end = iterator.next() ?? bytes.count
      pushing: while true {
        edits.reset()
        do throws(StreamError) {
          // The array outlives the span.
          let input = unsafe bytes.span.bytes.extracting(start..<end)
          let progress = try editor.process(input, into: &edits)
          append(edits, of: bytes, from: start)
          switch progress {
          case .needsInput(let count):
            start += count
            break pushing
          case .outputFull(let count):
            start += count
          case .reached(let stop, let count):
            start += count
            stops.append(.init(.init(stop), at: start))
            atStop(stop, &editor)
          }
        } catch {
          failure = error
          break pushing
        }
      }
      afterPiece(end, &editor)
    } while end < bytes.count && failure == nil
    consumed = start
    bypassReason = editor.bypassReason
    bypassOffset = editor.bypassOffset
    counters = editor.counters
    rounds = editor.rounds
    blocks = editor.blocks
    sections = editor.sections
    commands = editor.commands
    machine = editor.machine
    lastMarkCopy = editor.lastMarkCopy
    truncation = editor.truncation()
    targetPageSize = editor.targetPageSize
    isBackgroundSnapshot = editor.isBackgroundSnapshot
  }

  private mutating func append(_ edits: borrowing EditList, of bytes: [UInt8], from start: Int) {
    for index in 0..<edits.segmentCount {
      switch edits[segment: index] {
      case .forward(let range):
        output += bytes[start + range.lowerBound..<start + range.upperBound]
      case .insert(let range):
        // The list is not changed meanwhile.
        unsafe output.append(contentsOf: edits.insertedBytes[range])
      }
    }
  }
}

extension SampleStream.StopKind {
  init(_ stop: StreamEditor.StopPoint) {
    self =
      switch stop {
      case .blockListKnown: .blockListKnown
      case .firstPageRecord: .firstPageRecord
      case .endOfRAM: .endOfRAM
      case .postcopySwitchover: .postcopySwitchover
      case .probePassed: .probePassed
      case .bypass: .bypass
      }
  }
}

/// Array's own == looks at one element after the other, which takes long in a debug build.
func same(_ one: [UInt8], _ other: [UInt8]) -> Bool {
  guard one.count == other.count else { return false }
  return unsafe one.withUnsafeBytes { left in
    unsafe other.withUnsafeBytes { right in
      // Both are alive and of equal length.
      guard let a = left.baseAddress, let b = right.baseAddress else { return true }
      return unsafe memcmp(a, b, left.count) == 0
    }
  }
}

extension SampleStream {
  /// The pages that the tests take for dead; those that the builder's rounds send are among them.
  static let deadPages: Set<Place> = [.init(0, 1), .init(0, 2), .init(0, 5), .init(1, 0)]

  static let mark = Mark(
    place: .init(0, 2), identification: Array("the mark".utf8), identificationOffset: 16,
    verdict: Array("here".utf8), verdictOffset: 100)

  func deadPages(_ places: Set<Place> = SampleStream.deadPages) -> DeadPages {
    let dead = DeadPages(pagesPerBlock: blocks.map(\.pages))
    for place in places where place.block < blocks.count {
      dead.insert(place.page..<place.page + 1, block: place.block)
    }
    return dead
  }
}

extension MarkRule {
  init(_ mark: SampleStream.Mark) {
    self.init(
      address: PageAddress(block: mark.place.block, page: mark.place.page),
      identification: mark.identification, identificationOffset: mark.identificationOffset,
      verdict: mark.verdict, verdictOffset: mark.verdictOffset)
  }
}
