import PageFilter

/// Reads a recorded channel that the stream editor follows: a main one, the main one of a post-copy
/// recovery, or a preempt one. Of what it reads only the device states at the end are kept.
final class MainInspector {
  /// Device states longer than this are not looked at.
  private static let maximumTail = 256 << 20

  let inspection: StreamInspection
  /// At the end of the channel; recoveries and preempt channels rest on what a main one has told it.
  private let editor: StreamEditor

  static func read(
    _ file: RecordedChannel, kind: String = "main"
  ) throws(SystemError) -> MainInspector {
    try MainInspector(file, StreamEditor(readsOnly: true), kind: kind)
  }

  /// - Parameter main: the connection that broke, or an earlier recovery of it.
  static func readRecovery(
    _ file: RecordedChannel, main: MainInspector
  ) throws(SystemError) -> MainInspector {
    try MainInspector(file, StreamEditor(recoveryOf: main.editor), kind: "recovery")
  }

  /// - Parameter main: the channel whose blocks its records name, if it is at hand.
  static func readPreempt(
    _ file: RecordedChannel, main: MainInspector?
  ) throws(SystemError) -> MainInspector {
    let editor = StreamEditor(
      preemptChannelOf: main?.editor.blocks ?? [],
      targetPageSize: main?.editor.targetPageSize ?? 4096, learnsBlocks: main == nil)
    return try MainInspector(file, editor, kind: "postcopy-preempt")
  }

  private init(
    _ file: RecordedChannel, _ begun: consuming StreamEditor, kind: String
  ) throws(SystemError) {
    var editor = begun
    var tail: [UInt8] = []
    var edits = EditList()
    while try file.readMore() {
      var wantsMore = false
      while !wantsMore {
        edits.reset()
        let before = editor.counters.rawBytes
        // Borrowed for the call only. Nothing is dropped here, so nothing is thrown.
        guard let progress = try? editor.process(unsafe file.bytes.bytes, into: &edits) else {
          break
        }
        let count: Int
        switch progress {
        case .needsInput(let consumed):
          count = consumed
          wantsMore = true
        case .outputFull(let consumed), .reached(_, let consumed):
          count = consumed
        }
        let raw = Int(editor.counters.rawBytes - before)
        if raw > 0, editor.counters.ramEnded || editor.isBackgroundSnapshot {
          let kept = min(raw, MainInspector.maximumTail - tail.count)
          // Raw bytes are the last ones of what was consumed.
          let start = count - raw
          unsafe tail.append(contentsOf: file.bytes[start..<start + kept])
        }
        file.consume(count)
      }
    }
    inspection = MainInspector.summarize(editor, tail: tail, file: file, kind: kind)
    self.editor = editor
  }

  private static func summarize(
    _ editor: borrowing StreamEditor, tail: [UInt8], file: RecordedChannel, kind: String
  ) -> StreamInspection {
    let isPreempt = kind == "postcopy-preempt"
    let counters = editor.counters
    let states = DeviceStates(
      tail: isPreempt || tail.isEmpty
        ? nil
        : .init(
          bytes: tail, offset: counters.bytesIn - counters.rawBytes,
          bytesAfter: counters.rawBytes - UInt64(tail.count), hasFooters: counters.footers > 0,
          isCOLO: editor.enablesCOLO,
          early: Set(editor.sections.filter { $0.fulls > 0 }.map(\.name))))
    let end = file.offset + UInt64(file.count)
    var inspection = StreamInspection(
      editor, tail: states,
      problem: problem(editor, end: end, kind: kind, leftOver: file.count))
    if isPreempt {
      // Requested pages come in any order: there are no rounds.
      inspection.rounds = []
      inspection.bytesByKind = StreamInspection.complete(
        [.init(kind: "preempt records", bytes: editor.counters.bytesIn - editor.counters.rawBytes)],
        to: inspection.bytes)
    }
    let blocks = editor.blocks.indices.map { index in
      StreamInspection.BlockPages(
        name: editor.blocks[index].name, normal: editor.blockPages[index].normal,
        zero: editor.blockPages[index].zero, xbzrle: editor.blockPages[index].xbzrle,
        compressed: editor.blockPages[index].compressed)
    }
    inspection.channels = [
      .init(
        file: file.name, kind: kind, bytes: end, problem: inspection.problem,
        pages: inspection.pages, blocks: blocks.filter { $0.pages.count > 0 })
    ]
    return inspection
  }

  private static func problem(
    _ editor: borrowing StreamEditor, end: UInt64, kind: String, leftOver: Int
  ) -> StreamInspection.Problem? {
    let cannotFollow = "the stream cannot be followed from here on"
    if let reason = editor.bypassReason {
      return .init(offset: editor.bypassOffset ?? end, sentence: "\(cannotFollow): \(reason)")
    }
    if let unread = editor.unread {
      return .init(offset: unread.offset, sentence: "\(cannotFollow): \(unread.reason)")
    }
    // It ends by its close, between two records, or after an EOS.
    if kind == "postcopy-preempt" {
      let after = editor.counters.rawBytes
      guard after == 0 else {
        return .init(
          offset: end - after, sentence: "the channel goes on after the record that ends it")
      }
      return leftOver == 0
        ? nil : .init(offset: end, sentence: "the channel ends inside a record", isBreak: true)
    }
    if let truncation = editor.truncation() {
      return .init(
        offset: end, sentence: truncation, isBreak: kind == "recovery" || editor.hasWholePackage)
    }
    // Post-copy: nothing has forbidden the end of the stream where it stands.
    guard editor.counters.ramEnded || editor.isBackgroundSnapshot else {
      return .init(
        offset: editor.counters.bytesIn - editor.counters.rawBytes,
        sentence: "\(BypassReason.endBeforeRAM)")
    }
    return nil
  }
}
