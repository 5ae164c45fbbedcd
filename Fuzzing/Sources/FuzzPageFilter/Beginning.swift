import PageFilter
import StreamSamples

/// What kind of channel an input is.
enum Beginning: CaseIterable {
  case main
  /// Post-copy's, with the blocks of a main one.
  case preempt
  /// The same without them.
  case preemptAlone
  /// The main channel of a recovery.
  case recovery
  /// A recorded main one, of which nothing is dropped.
  case recorded

  func makeEditor() -> StreamEditor {
    switch self {
    case .main: StreamEditor()
    case .preempt:
      StreamEditor(
        preemptChannelOf: Broken.shared.editor.blocks,
        targetPageSize: Broken.shared.editor.targetPageSize)
    case .preemptAlone: StreamEditor(preemptChannelOf: [], learnsBlocks: true)
    case .recovery: StreamEditor(recoveryOf: Broken.shared.editor)
    case .recorded: StreamEditor(readsOnly: true)
    }
  }
}

/// A post-copy whose main channel has told everything. `@unchecked`: it is only read, and a fuzz
/// target has one thread.
private final class Broken: @unchecked Sendable {
  static let shared = Broken()

  let editor: StreamEditor

  private init() {
    var editor = StreamEditor()
    var edits = EditList()
    let bytes = SampleStream.postCopy().bytes
    var start = 0
    reading: while true {
      edits.reset()
      // The array outlives the span.
      let rest = unsafe bytes.span.bytes.extracting(start..<bytes.count)
      // Nothing is dropped, so nothing is thrown.
      switch try? editor.process(rest, into: &edits) {
      case .outputFull(let count), .reached(_, let count): start += count
      case .needsInput, nil: break reading
      }
    }
    precondition(editor.blocks.count == 2 && editor.counters.ramEnded, "the sample has changed")
    self.editor = editor
  }
}
