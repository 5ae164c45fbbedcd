import Foundation
import HookLink
import LeafManifest
import Testing

/// A real WiredTiger database with the extension and the hold library, from PREPARE to RESUME.
@Suite(.serialized) struct MigrationTests {
  private static let documents = 40_000

  /// What the engines come with.
  private static let compressors = TestEngine.present.flatMap { engine in
    (["none", "snappy"] + (engine == .debian ? ["zlib"] : [])).map { (engine, $0) }
  }

  /// RELEASE comes while the database is at work on PREPARE, as after migrate_cancel.
  @Test(arguments: TestEngine.present)
  func aMigrationThatIsOverWhileItIsPreparedHoldsNothingAndHasItsLeavesBack(
    engine: TestEngine
  ) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: MigrationTests.documents * 2))
    defer { database.remove() }
    let cache = try database.tell("cache")
    let prepared = try callOff(guardian)
    #expect(prepared.leavesEvicted == 0, "\(prepared)")
    guard case .released = try guardian.next() else {
      Issue.record("it does not say that its frames are released")
      return
    }
    #expect(database.memory("VmPin") == 0)
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    #expect(resumed.leavesResident == resumed.leavesInManifest && resumed.leavesInManifest > 1600)
    #expect(try database.tell("cache")[0] == cache[0])
    // And the next one is as any.
    try guardian.prepare()
    #expect(try guardian.prepared().held != nil)
    try guardian.releaseAndResume()
    try database.expectClean()
  }

  /// Has it prepare, and calls that off as soon as it is at work.
  private func callOff(_ guardian: TestGuardian) throws -> LocalMessage.Prepared {
    var pause: UInt32 = 20_000
    while true {
      try guardian.prepare()
      usleep(pause)
      try guardian.send(LocalMessage.Release())
      switch try guardian.next() {
      case .prepared(let prepared): return prepared
      case .failed(let failed) where failed.reason.contains("called it off"):
        // It had not begun.
        guard case .released = try guardian.next() else {
          throw DatabaseComplaint(line: "it does not say that its frames are released")
        }
        pause *= 2
      case .held:
        // This thread came too late.
        pause = 20_000
        _ = try guardian.prepared()
        guard case .released = try guardian.next() else {
          throw DatabaseComplaint(line: "it does not say that its frames are released")
        }
        try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
        _ = try guardian.resumed()
      case let other: throw DatabaseComplaint(line: "\(other)")
      }
    }
  }

  @Test(arguments: compressors)
  func everyResidentLeafIsListedEvictedHeldAndReadBack(
    engine: TestEngine, compressor: String
  ) throws {
    // Pages are counted as the engine does only when they have been read from the file.
    let setup = DatabaseProcess.Setup(
      engine: engine, compressor: compressor, documents: MigrationTests.documents)
    let directory = try DatabaseProcess.fill(setup)
    let database = try DatabaseProcess(setup, directory: directory)
    defer { database.remove() }
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    let register = try guardian.accept()
    #expect(register.listsLeaves && register.holdsFrames, "\(register.notes)")
    #expect(register.home == URL(fileURLWithPath: database.home).resolvingSymlinksInPath().path)

    try database.tell("warm")
    let resident = try database.tell("leaves")[0]
    let before = try database.tell("cache")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    report("prepare, \(engine.rawValue), \(compressor)", before[1], prepared.steps)
    #expect(prepared.notesButOfRoom == [])
    #expect(prepared.leavesListed == UInt64(resident))
    #expect(prepared.leavesInManifest == UInt64(resident))
    let left = try database.tell("leaves")[0]
    let small = try database.tell("cache")[0]
    #expect(small <= before[0] / 16)
    let kept = max(40, resident / 50) * (small >> 20)
    #expect(left <= kept, "what a cache of \(small >> 20) MiB keeps")
    #expect(Int(prepared.leavesEvicted) >= resident - kept)
    let bytes = try #require(held).pieces.reduce(0) { $0 + Int($1.length) }
    print("held \(bytes >> 20) MiB of \(before[1] >> 20) MiB of cache, \(resident) leaves")
    #expect(bytes > before[1] * 9 / 10)
    #expect(database.memory("VmPin") >= bytes)

    // The database goes on, with a small cache, while its frames are held.
    #expect(try database.tell("read 1000") == [1000, 0])
    #expect(try database.tell("cache")[0] <= before[0] / 16)

    try guardian.release()
    #expect(database.memory("VmPin") < 1 << 20)
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    report("resume, \(engine.rawValue), \(compressor)", before[1], resumed.steps)
    #expect(resumed.leavesInManifest == UInt64(resident))
    #expect(resumed.leavesRefaulted == UInt64(resident))
    #expect(resumed.leavesResident == UInt64(resident))
    #expect(try database.tell("leaves")[0] == resident)
    #expect(try database.tell("cache")[0] == before[0])
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aResumeOfNoThreadsGivesTheCacheItsSizeBackAndReadsNothing(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    let (resident, size) = (try database.tell("leaves")[0], try database.tell("cache")[0])
    try guardian.prepare()
    _ = try guardian.prepared()
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 0, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    #expect(resumed.leavesRefaulted == 0)
    #expect(try database.tell("cache")[0] == size)
    #expect(try database.tell("leaves")[0] < resident / 2)
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func resumeIsRefusedWhileFramesAreHeldAndWorksAfterTheirRelease(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try guardian.prepare()
    _ = try guardian.prepared()
    try guardian.send(LocalMessage.Resume(threads: 1, leavesPerSecond: 0))
    #expect(throws: TestGuardian.Refused.self) { try guardian.resumed() }
    try guardian.prepare()
    #expect(throws: TestGuardian.Refused.self) { try guardian.prepared() }
    #expect(database.memory("VmPin") > 0)
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 1, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aDamagedManifestIsRefusedAndTheDatabaseGoesOn(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    let size = try database.tell("cache")[0]
    try guardian.prepare()
    _ = try guardian.prepared()
    try guardian.release()
    let path = database.home + "/" + LeafManifest.fileName
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: path))
    try guardian.send(LocalMessage.Resume(threads: 1, leavesPerSecond: 0))
    #expect(throws: TestGuardian.Refused.self) { try guardian.resumed() }
    #expect(try database.tell("cache")[0] == size)
    try database.expectClean()
  }

  @Test func withADeadGuardianTheVerdictInTheMarkPageGivesTheCacheBack() throws {
    // Pages are counted as the engine does only when they have been read from the file.
    let setup = DatabaseProcess.Setup(documents: 20_000)
    let directory = try DatabaseProcess.fill(setup)
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    let (size, resident) = (try database.tell("cache")[0], try database.tell("leaves")[0])
    try guardian.prepare()
    _ = try guardian.prepared()
    guardian.hangUp()
    // What another migration's proxy has written is nothing to go by.
    try guardian.writeVerdict(of: .random())
    usleep(1_000_000)
    #expect(database.memory("VmPin") > 0)
    #expect(try database.tell("cache")[0] < size)

    let arrived = ContinuousClock.now
    try guardian.writeVerdict(of: guardian.migration)
    // It registers while it reads its leaves back.
    _ = try guardian.accept()
    while try database.tell("leaves")[0] < resident, arrived.duration(to: .now) < .seconds(5) {
      usleep(20_000)
    }
    #expect(database.memory("VmPin") == 0)
    #expect(try database.tell("cache")[0] == size)
    #expect(try database.tell("leaves")[0] == resident)
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func withoutAMarkPageNothingIsHeld(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try guardian.prepare(withMark: false)
    let (held, prepared) = try guardian.prepared()
    #expect(held == nil)
    #expect(prepared.leavesEvicted > 0)
    #expect(prepared.notes.contains { $0.contains("mark page") })
    #expect(database.memory("VmPin") == 0)
    try guardian.release()
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func withoutTheHoldLibraryTheCacheIsOnlyShrunk(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000, preloadsHold: false))
    defer { database.remove() }
    let before = try database.tell("cache")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held == nil && prepared.leavesListed == 0)
    #expect(try database.tell("cache")[1] < before[1] / 4)
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 1, leavesPerSecond: 0))
    #expect(try guardian.resumed().leavesInManifest == 0)
    #expect(try database.tell("cache")[0] == before[0])
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func onGlibcsMallocLeavesAreListedAndNoFramesHeld(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000, allocator: .glibc))
    defer { database.remove() }
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held == nil && prepared.leavesEvicted > 0)
    #expect(prepared.notes.contains { $0.contains("glibc") })
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 1, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    #expect(resumed.leavesResident == resumed.leavesInManifest && resumed.leavesInManifest > 0)
    try database.expectClean()
  }

  @Test(arguments: TestEngine.present)
  func aDatabaseWithUpdatesAndAnOpenTransactionIsPreparedAndResumed(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try database.tell("update 10000")
    try database.tell("pin")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    #expect(held != nil && prepared.leavesEvicted > prepared.leavesInManifest / 2)
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    _ = try guardian.resumed()
    try database.expectClean()
  }

  private func report(_ what: String, _ cache: Int, _ steps: [StepTime]) {
    let texts = steps.map { "\($0.step) \($0.nanoseconds / 1000)" }
    print("\(what), \(cache >> 20) MiB, in µs: \(texts.joined(separator: ", "))")
  }
}
