import HookLink
import Testing

@Suite struct MessageTests {
  let migration = MigrationID.random()

  func frame(_ bytes: [UInt8]) throws -> Frame {
    var decoder = FrameDecoder()
    decoder.append(bytes)
    return try #require(try decoder.next())
  }

  @Test func everyGuestMessageArrivesAsItWasSent() throws {
    let steps = [StepTime(step: "checkpoint", nanoseconds: 12)]
    let held = HeldPages(firstPage: 512, bitmap: [UInt8](repeating: 0xa5, count: 64))
    let sent: [(any Message, GuestMessage)] = [
      {
        let body = GuestMessage.Mark(guestPhysicalAddress: 4096, time: 5, guardianVersion: "1")
        return (body, .mark(body))
      }(),
      (held, .held(held)),
      {
        let body = GuestMessage.ReportEnd(
          pages: 1, leavesListed: 2, leavesInManifest: 3, leavesEvicted: 4, steps: steps,
          notes: ["a note"])
        return (body, .reportEnd(body))
      }(),
      {
        let body = GuestMessage.Revoke(sequence: 8, ranges: [PageRange(first: 1, count: 2)])
        return (body, .revoke(body))
      }(),
      {
        let body = GuestMessage.Revoke(sequence: 9, ranges: nil)
        return (body, .revoke(body))
      }(),
      {
        let body = GuestMessage.Resumed(
          atDestination: true, leavesInManifest: 1, leavesRefaulted: 2, leavesResident: 3,
          steps: steps)
        return (body, .resumed(body))
      }(),
    ]
    for (body, expected) in sent {
      #expect(try GuestMessage(try frame(body.frame(for: migration))) == expected)
    }
  }

  @Test func aMessageCutShortAnywhereIsRefused() throws {
    var payload = PayloadWriter()
    GuestMessage.ReportEnd(
      pages: 1, leavesListed: 2, leavesInManifest: 3, leavesEvicted: 4,
      steps: [StepTime(step: "hold", nanoseconds: 1)], notes: ["x"]
    ).write(to: &payload)
    for length in 0..<payload.bytes.count {
      let frame = Frame(
        type: GuestMessage.ReportEnd.code, migration: migration,
        payload: Array(payload.bytes[..<length]))
      #expect(throws: MessageError.self, "length \(length)") { try GuestMessage(frame) }
    }
  }

  @Test func aMessageWithBytesBehindItsEndIsRefused() {
    var payload = PayloadWriter()
    HostMessage.Acknowledge(sequence: 1).write(to: &payload)
    let frame = Frame(
      type: HostMessage.Acknowledge.code, migration: migration, payload: payload.bytes + [0])
    #expect(throws: MessageError.trailingBytes(1)) { try HostMessage(frame) }
  }

  @Test func aLyingCountAllocatesNothing() {
    var payload = PayloadWriter()
    payload.put(UInt64(1))
    payload.put(false)
    payload.put(UInt32.max)
    let frame = Frame(
      type: GuestMessage.Revoke.code, migration: migration, payload: payload.bytes)
    #expect(throws: MessageError.self) { try GuestMessage(frame) }
  }

  @Test func heldPagesOutsideTheirGridAreRefused() {
    for held in [
      HeldPages(firstPage: 1, bitmap: [UInt8](repeating: 0, count: 64)),
      HeldPages(firstPage: 1 << 52, bitmap: [UInt8](repeating: 0, count: 64)),
      HeldPages(firstPage: 0, bitmap: []),
      HeldPages(firstPage: 0, bitmap: [UInt8](repeating: 0, count: 63)),
    ] {
      var payload = PayloadWriter()
      held.write(to: &payload)
      let frame = Frame(type: HeldPages.code, migration: migration, payload: payload.bytes)
      #expect(throws: MessageError.self) { try GuestMessage(frame) }
    }
  }
}

@Suite struct MarkPageTests {
  let migration = MigrationID.random()

  func page(state: UInt64) -> [UInt8] {
    var writer = PayloadWriter()
    writer.put(state)
    writer.put(UInt64(3))
    writer.put(UInt64(99))
    let front = MarkPage.identification(for: migration) + writer.bytes
    return front + [UInt8](repeating: 0, count: MarkPage.size - front.count)
  }

  @Test func aCopySaysWhatTheGuestWrote() throws {
    let mark = try #require(MarkPage(parsing: page(state: MarkPage.State.holding.rawValue)))
    #expect(mark.nonce == migration)
    #expect(mark.state == .holding)
    #expect(mark.counter == 3)
    #expect(mark.time == 99)
    #expect(mark.verdict == nil)
  }

  @Test func theVerdictIsReadBackWithItsMigration() throws {
    var bytes = page(state: MarkPage.State.holding.rawValue)
    let verdict = MarkPage.verdict(for: migration)
    bytes.replaceSubrange(
      MarkPage.Offset.verdict..<MarkPage.Offset.verdict + verdict.count, with: verdict)
    #expect(MarkPage(parsing: bytes)?.verdict == migration)
  }

  @Test func anUnknownStateWordIsNeitherHoldingNorReleased() throws {
    #expect(try #require(MarkPage(parsing: page(state: 0))).state == nil)
  }

  @Test func anotherPageIsNoMark() {
    #expect(MarkPage(parsing: [UInt8](repeating: 0, count: 4096)) == nil)
    #expect(MarkPage(parsing: []) == nil)
  }
}
