import CGuestSystem
import Foundation
import Glibc
import HookLink
import Synchronization
import Testing

@testable import Guardian
@testable import WiredTigerExtension

/// The extension lives among somebody else's descriptors.
@Suite struct GuardianLinkTests {
  /// A descriptor that is closed twice may be a file of the database's the second time, which WiredTiger
  /// answers with a panic at best.
  @Test func aGuardianThatIsNotThereCostsNobodyADescriptor() {
    let over = Atomic(false)
    let stolen = Atomic(0)
    let program = Crew("files", count: 2) { _ in
      while !over.load(ordering: .relaxed) {
        // The path is a literal.
        let file = unsafe open("/dev/null", O_RDONLY)
        sched_yield()
        if close(file) != 0 { stolen.add(1, ordering: .relaxed) }
      }
    }
    for _ in 0..<100_000 where stolen.load(ordering: .relaxed) == 0 {
      #expect(GuardianLink(path: "/nonexistent") == nil)
    }
    over.store(true, ordering: .relaxed)
    program.join()
    #expect(stolen.load(ordering: .relaxed) == 0)
  }

  /// One of another release, for instance, after an upgrade.
  @Test func aGuardianThatTurnsADatabaseAwayIsNotAskedAgainAtOnce() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 2000))
    defer { database.remove() }
    let began = ContinuousClock.now
    for _ in 0..<3 {
      guardian.hangUp()
      _ = try guardian.accept()
    }
    #expect(began.duration(to: .now) > .seconds(1.5))
  }

  /// The guardian would wait for what the closed database has to say.
  @Test func aForkedChildDoesNotKeepTheLinkOfAClosedDatabase() throws {
    let (database, guardian) = try DatabaseProcess.openWarm(.init(documents: 2000))
    defer { database.remove() }
    try database.tell("fork")
    try database.tell("reopen")
    #expect(guardian.hasHungUp(seconds: 5))
    _ = try guardian.accept()
    #expect(try database.tell("endchild") == [1])
  }

  /// A database that is reading leaves back may find several when it looks.
  @Test func eachPrepareComesWithItsOwnMarkPage() throws {
    let ends = try LinkEnds()
    var marks: [Descriptor] = []
    for name in ["first", "second"] {
      // The name is a literal, alive during the call.
      marks.append(Descriptor(owning: unsafe leafcutter_guest_page_memfd(name)))
      ends.guardian.send(ends.request, for: .random(), with: marks.last)
      ends.guardian.send(LocalMessage.Release(), for: .random())
    }
    #expect(ends.link.hasReceived(LocalMessage.Release.code))
    for mark in marks {
      #expect(ends.link.next()?.type == LocalMessage.PrepareDatabase.code)
      let taken = try #require(ends.link.takeDescriptor())
      #expect(LinkEnds.identity(of: taken) == LinkEnds.identity(of: mark.number))
      close(taken)
      #expect(ends.link.next()?.type == LocalMessage.Release.code)
      #expect(ends.link.takeDescriptor() == nil)
    }
  }

  /// The socket takes what there is room for.
  @Test func aMarkPageBelongsToTheMessageThatItsBytesBegin() throws {
    let ends = try LinkEnds()
    // The name is a literal, alive during the call.
    let mark = Descriptor(owning: unsafe leafcutter_guest_page_memfd("only"))
    let bytes = ends.request.frame(for: .random())
    for part in [bytes + bytes[..<40], Array(bytes[40...])] {
      let first = part.count > bytes.count
      // The array is alive during the call.
      let count = unsafe leafcutter_guest_send(
        ends.guardian.socket.number, part, part.count, first ? mark.number : -1)
      #expect(count == part.count)
      if first {
        #expect(ends.link.next() != nil)
        #expect(ends.link.takeDescriptor() == nil)
        #expect(ends.link.next() == nil)
      }
    }
    #expect(ends.link.next() != nil)
    let taken = try #require(ends.link.takeDescriptor())
    #expect(LinkEnds.identity(of: taken) == LinkEnds.identity(of: mark.number))
    close(taken)
  }

  @Test(arguments: TestEngine.present)
  func aPrepareThatIsCalledOffWhileItWaitsEvictsNothing(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 20_000))
    defer { database.remove() }
    try guardian.prepare()
    _ = try guardian.prepared()
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 100))
    usleep(100_000)
    try guardian.prepare()
    try guardian.send(LocalMessage.Release())
    _ = try guardian.resumed()
    guard case .failed(let failed) = try guardian.next() else { throw TestGuardian.Unexpected() }
    #expect(failed.step == "prepare")
    guard case .released = try guardian.next() else { throw TestGuardian.Unexpected() }
    #expect(database.memory("VmPin") == 0)
    // The next one is prepared as ever.
    try guardian.prepare()
    #expect(try guardian.prepared().held != nil)
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }
}

/// A link of the extension's, and what the guardian has of it.
private final class LinkEnds {
  let guardian: LocalConnection
  let link: GuardianLink
  let request = LocalMessage.PrepareDatabase(cacheBytes: 1 << 20, threads: 1, keepPercent: 0)

  init() throws {
    let path = FileManager.default.temporaryDirectory.path + "/leafcutter-\(UUID().uuidString)"
    // The path is alive during the calls.
    let listener = Descriptor(owning: unsafe leafcutter_guest_listen_unix(path))
    defer { unsafe unlink(path) }
    link = try #require(GuardianLink(path: path))
    guardian = LocalConnection(Descriptor(owning: leafcutter_guest_accept(listener.number)))
  }

  /// The file's number.
  static func identity(of descriptor: Int32) -> ino_t {
    var about = stat()
    // A structure of our own, alive during the call.
    return unsafe fstat(descriptor, &about) == 0 ? about.st_ino : 0
  }
}
