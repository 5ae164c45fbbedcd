import HookLink
import Testing

@Suite struct FrameLimitTests {
  private let migration = MigrationID.random()

  private func frame(_ bytes: [UInt8]) throws -> Frame {
    var decoder = FrameDecoder()
    decoder.append(bytes)
    return try #require(try decoder.next())
  }

  /// What others say for people is cut off, and no message is too long for a frame.
  @Test func whateverDatabasesSayFitsIntoAFrame() throws {
    let notes = (0..<1000).map { "\($0) " + String(repeating: "long", count: 200) }
    let steps = (0..<2000).map { StepTime(step: "step \($0)", nanoseconds: 1) }
    let registration = LocalMessage.Register(
      home: "/" + String(repeating: "h", count: 4000), engine: "e", layout: "l", allocator: "a",
      listsLeaves: true, holdsFrames: true, notes: notes)
    let end = GuestMessage.ReportEnd(
      pages: 1, pagesZeroed: 0, probes: [], leavesListed: 0, leavesInManifest: 0, leavesEvicted: 0,
      steps: steps, notes: notes)
    guard
      case .reportEnd(let read) = try GuestMessage(try frame(end.frame(for: migration))),
      case .register(let register) = try LocalMessage(
        try frame(registration.frame(for: migration)))
    else {
      Issue.record("another message has arrived")
      return
    }
    #expect((50..<1000).contains(read.notes.count))
    #expect(read.notes == Array(notes[..<read.notes.count]))
    #expect((500..<2000).contains(read.steps.count))
    #expect(register.notes.count == read.notes.count)
    let entries = (0..<64).map {
      LocalMessage.Databases.Entry(pid: Int32($0), registration: registration)
    }
    guard
      case .databases(let list) = try LocalMessage(
        try frame(LocalMessage.Databases(entries: entries).frame(for: migration))),
      case .status(let status) = try LocalMessage(
        try frame(LocalMessage.Status(lines: notes).frame(for: migration)))
    else {
      Issue.record("another message has arrived")
      return
    }
    #expect(list.entries.count == 1 && status.lines.count == read.notes.count)
  }
}
