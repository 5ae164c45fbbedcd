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
          pages: 1, pagesZeroed: 5, probes: [4096, 1 << 40], leavesListed: 2, leavesInManifest: 3,
          leavesEvicted: 4, steps: steps,
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

  @Test func registeredDatabasesArriveAsTheyWereSent() throws {
    let registration = LocalMessage.Register(
      home: "/data", engine: "an engine", layout: "11.3.1", allocator: "jemalloc",
      listsLeaves: true, holdsFrames: false, notes: ["one", "two"])
    #expect(
      try LocalMessage(try frame(registration.frame(for: .none))) == .register(registration))
    let list = LocalMessage.Databases(entries: [.init(pid: 7, registration: registration)])
    let bytes = list.frame(for: .none)
    #expect(try LocalMessage(try frame(bytes)) == .databases(list))
    var payload = PayloadWriter()
    list.write(to: &payload)
    for length in 0..<payload.bytes.count {
      let cut = Frame(
        type: LocalMessage.Databases.code, migration: .none,
        payload: Array(payload.bytes[..<length]))
      #expect(throws: MessageError.self, "length \(length)") { try LocalMessage(cut) }
    }
  }

  @Test func aShareToKeepThatIsNoneIsRefused() throws {
    for percent in [0, LocalMessage.PrepareDatabase.maximumKeepPercent] {
      let body = LocalMessage.PrepareDatabase(
        cacheBytes: 5, threads: 6, keepPercent: percent, timeoutMilliseconds: 7)
      #expect(try LocalMessage(try frame(body.frame(for: migration))) == .prepare(body))
    }
    let body = LocalMessage.PrepareDatabase(cacheBytes: 5, threads: 6, keepPercent: 96)
    #expect(throws: MessageError.self) {
      try LocalMessage(try frame(body.frame(for: migration)))
    }
  }

  @Test func aRevocationOfAsManyRangesAsThereMayBeFitsIntoAFrame() throws {
    let ranges = (0..<UInt64(GuestMessage.Revoke.maximumRanges)).map {
      PageRange(first: $0 * 2, count: 1)
    }
    let body = GuestMessage.Revoke(sequence: 1, ranges: ranges)
    #expect(try GuestMessage(try frame(body.frame(for: migration))) == .revoke(body))
  }

  @Test func piecesToReleaseArriveAsTheyWereSent() throws {
    let body = LocalMessage.ReleasePieces(addresses: [1 << 40, 4096])
    #expect(try LocalMessage(try frame(body.frame(for: migration))) == .releasePieces(body))
  }

  @Test func piecesThatAreNoMemoryAreRefused() throws {
    let (page, end) = (UInt64(4096), UInt64(1 << 56))
    let good = [(page, page), (end - page, page)]
    for pieces in [
      good, [(1, page)], [(page, 0)], [(page, 1)], [(end, page)], [(end - page, 2 * page)],
      [(1 << 63, 1 << 63)], [(0 &- page, page)], [(0, end), (page, page)],
    ] as [[(UInt64, UInt64)]] {
      let body = LocalMessage.HeldMemory(
        ring: 3, pieces: pieces.map { LocalMessage.AddressRange(address: $0.0, length: $0.1) })
      let read = try? LocalMessage(try frame(body.frame(for: migration)))
      #expect((read == .held(body)) == (pieces[0] == good[0] && pieces.count == 2), "\(pieces)")
    }
  }

  @Test func moreLeavesThanThereCanBeAreRefused() throws {
    for leaves in [LocalMessage.maximumLeaves, LocalMessage.maximumLeaves + 1, .max] {
      for field in 0..<3 {
        let counts = (0..<3).map { $0 == field ? leaves : 7 }
        let prepared = LocalMessage.Prepared(
          leavesListed: counts[0], leavesInManifest: counts[1], leavesEvicted: counts[2],
          steps: [], notes: [])
        let resumed = LocalMessage.DatabaseResumed(
          leavesInManifest: counts[0], leavesRefaulted: counts[1], leavesResident: counts[2],
          steps: [], notes: [])
        let isGood = leaves == LocalMessage.maximumLeaves
        #expect(
          ((try? LocalMessage(try frame(prepared.frame(for: migration)))) != nil) == isGood)
        #expect(((try? LocalMessage(try frame(resumed.frame(for: migration)))) != nil) == isGood)
      }
    }
  }

  @Test func prepareArrivesAsItWasSent() throws {
    let body = HostMessage.Prepare(
      postcopyPossible: true, zeroHeldFrames: false, timeoutMilliseconds: 7,
      segments: [
        MemorySegment(start: 1 << 20, length: 3 << 30), MemorySegment(start: 1 << 32, length: 4096),
      ])
    #expect(try HostMessage(try frame(body.frame(for: migration))) == .prepare(body))
  }

  @Test func segmentsThatAreNoMemoryAreRefused() {
    let page: UInt64 = 4096
    for segments in [
      [(1, page)], [(page, 0)], [(page, 1)], [(page, 2 * page), (2 * page, page)],
      [(2 * page, page), (page, page)], [(1 << 63, 1 << 63)], [(0 &- page, page)],
      [(page, 0 &- page)],
      (0...UInt64(HostMessage.Prepare.maximumSegments)).map { ($0 * page, page) },
    ] as [[(UInt64, UInt64)]] {
      let body = HostMessage.Prepare(
        postcopyPossible: false, zeroHeldFrames: false, timeoutMilliseconds: 7,
        segments: segments.map { MemorySegment(start: $0.0, length: $0.1) })
      #expect(throws: MessageError.self, "\(segments.prefix(2))") {
        try HostMessage(try frame(body.frame(for: migration)))
      }
    }
  }

  @Test func probesBeyondTheirNumberOrOffAPageAreRefused() {
    for probes in [[1], (0...UInt64(GuestMessage.ReportEnd.maximumProbes)).map { $0 * 4096 }] {
      let body = GuestMessage.ReportEnd(
        pages: 0, pagesZeroed: 0, probes: probes, leavesListed: 0, leavesInManifest: 0,
        leavesEvicted: 0, steps: [], notes: [])
      #expect(throws: MessageError.self) {
        try GuestMessage(try frame(body.frame(for: migration)))
      }
    }
  }

  @Test func aMessageCutShortAnywhereIsRefused() throws {
    var payload = PayloadWriter()
    GuestMessage.ReportEnd(
      pages: 1, pagesZeroed: 5, probes: [4096], leavesListed: 2, leavesInManifest: 3,
      leavesEvicted: 4,
      steps: [StepTime(step: "hold", nanoseconds: 1)], notes: ["x"]
    ).write(to: &payload)
    for length in 0..<payload.bytes.count {
      let frame = Frame(
        type: GuestMessage.ReportEnd.code, migration: migration,
        payload: Array(payload.bytes[..<length]))
      #expect(throws: MessageError.self, "length \(length)") { try GuestMessage(frame) }
    }
  }

  @Test func aMessageWithBytesAfterItsEndIsRefused() {
    var payload = PayloadWriter()
    HostMessage.Acknowledge(sequence: 1).write(to: &payload)
    let frame = Frame(
      type: HostMessage.Acknowledge.code, migration: migration, payload: payload.bytes + [0])
    #expect(throws: MessageError.trailingBytes(1)) { try HostMessage(frame) }
  }

  @Test func aCountBeyondWhatTheProtocolAllowsIsRefusedBeforeAnythingIsRead() {
    var payload = PayloadWriter()
    payload.put(UInt64(1))
    payload.put(false)
    payload.put(UInt32.max)
    let frame = Frame(
      type: GuestMessage.Revoke.code, migration: migration, payload: payload.bytes)
    #expect(throws: MessageError.outOfRange(field: "ranges", value: UInt64(UInt32.max))) {
      try GuestMessage(frame)
    }
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
