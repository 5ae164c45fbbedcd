import Glibc
import PageFilter

/// Reads a recorded stream from a file or a pipe, once and in large pieces; of what it reads only
/// the device states at the end are kept.
public enum StreamInspector {
  private static let pieceSize = 1 << 20
  /// Device states longer than this are not looked at.
  private static let maximumTail = 256 << 20

  /// - Parameter path: "-" reads the standard input.
  /// - Throws: ``SystemError`` where the file cannot be opened or read.
  public static func inspect(path: String) throws(SystemError) -> StreamInspection {
    guard path != "-" else { return try inspect(descriptor: STDIN_FILENO, name: "standard input") }
    // The path is a string for the duration of the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw SystemError("open \(path)") }
    defer { close(descriptor) }
    return try inspect(descriptor: descriptor, name: path)
  }

  /// Reads `descriptor` to its end.
  static func inspect(
    descriptor: Int32, name: String
  ) throws(SystemError) -> StreamInspection {
    var editor = StreamEditor()
    var edits = EditList()
    var tail: [UInt8] = []
    var tailIsTooLong = false
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: pieceSize + StreamEditor.longestElement, alignment: 4096)
    defer { unsafe buffer.deallocate() }
    var start = 0
    var end = 0
    while true {
      // What is left over is less than one element, so a piece fits behind it.
      unsafe memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
      end -= start
      start = 0
      let count = unsafe read(descriptor, buffer.baseAddress! + end, pieceSize)
      guard count >= 0 else {
        if errno == EINTR { continue }
        throw SystemError("read \(name)")
      }
      if count == 0 { break }
      end += count
      var wantsMore = false
      while !wantsMore {
        edits.reset()
        let before = editor.counters.rawBytes
        // The bytes between start and end are the ones that were read.
        let input = unsafe UnsafeRawBufferPointer(rebasing: buffer[start..<end])
        // Nothing is dropped here, so nothing is thrown.
        guard let progress = try? editor.process(unsafe input.bytes, into: &edits) else { break }
        switch progress {
        case .needsInput(let consumed):
          start += consumed
          wantsMore = true
        case .outputFull(let consumed), .stopped(_, let consumed):
          start += consumed
        }
        let raw = Int(editor.counters.rawBytes - before)
        guard raw > 0, editor.counters.ramEnded else { continue }
        tailIsTooLong = tailIsTooLong || tail.count + raw > maximumTail
        // Raw bytes are the last ones of what was consumed.
        if !tailIsTooLong { unsafe tail.append(contentsOf: buffer[start - raw..<start]) }
      }
    }
    return summarize(
      editor, tail: tailIsTooLong ? [] : tail, leftOver: end - start,
      note: tailIsTooLong ? "the device states are longer than \(maximumTail) bytes" : nil)
  }

  private static func summarize(
    _ editor: borrowing StreamEditor, tail: [UInt8], leftOver: Int, note: String?
  ) -> StreamInspection {
    let states = DeviceStates(
      tail: tail, offset: editor.counters.bytesIn - UInt64(tail.count),
      hasFooters: editor.counters.footers > 0,
      early: Set(editor.sections.filter { $0.fulls > 0 }.map(\.name)))
    let end = editor.counters.bytesIn + UInt64(leftOver)
    var problem: StreamInspection.Problem?
    if let reason = editor.bypassReason {
      problem = .init(
        offset: editor.bypassOffset ?? end,
        sentence: "the stream cannot be followed from here on: \(reason)")
    } else if end == 0 {
      problem = .init(offset: 0, sentence: "the stream is empty")
    } else if let truncation = editor.truncation() {
      problem = .init(offset: end, sentence: truncation)
    }
    var inspection = StreamInspection(editor, tail: states, problem: problem)
    inspection.deviceStatesNote = note ?? inspection.deviceStatesNote
    return inspection
  }
}
