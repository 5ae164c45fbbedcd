import CGuestSystem
import Glibc
import HookLink
import Testing
import Threads

@testable import Guardian

/// The guest's part of the rules in docs/architecture.md ("Each rule"), switched off and on in the same
/// scenario: without one of them a proxy would pass the point of no return while dropped pages are somebody else's.
@Suite(.serialized)
struct HoldRuleTests {
  private let holding = MarkPage.State.holding.rawValue

  private func rules(_ change: (inout HoldRules) -> Void) -> HoldRules {
    var rules = HoldRules()
    change(&rules)
    return rules
  }

  @Test(
    "A guardian that lets go without RELEASED in the mark page loses pages, and with it none",
    arguments: [false, true])
  func guardianSaysReleased(isOn: Bool) throws {
    let guardian = GuardianInProcess(rules { $0.saysReleasedFirst = isOn })
    let (database, pages) = try prepare(guardian)
    let mark = try #require(database.mark)
    #expect(pages.isProven(mark))
    guardian.proxy.hangUp()
    guard case .release? = database.awaitMessage() else {
      Issue.record("a lost link releases nothing")
      return
    }
    // From here on anybody may have the frames, and the guest may be stopped at any moment.
    database.release()
    let lost = pages.lost(last: mark, besides: database)
    #expect(isOn ? lost == 0 : lost > 0, "\(lost) pages")
  }

  @Test(
    "A guest that does not keep the lease loses pages in post-copy, and one that does none",
    arguments: [false, true])
  func guardianKeepsLease(isOn: Bool) throws {
    let guardian = GuardianInProcess(rules { $0.keepsLease = isOn })
    let (database, pages) = try prepare(guardian, postcopy: true)
    // In post-copy the proxy has a copy from before the link was lost, and acknowledged a heartbeat.
    let copy = try #require(try database.copyOfMark())
    let beat = guardian.proxy.await { if case .heartbeat(let beat) = $0 { beat } else { nil } }
    try #require(beat != nil)
    let acknowledged = ContinuousClock.now
    guardian.proxy.hangUp()
    // As long as the proxy may pass the point of no return on the strength of it.
    if case .release? = database.awaitMessage(milliseconds: 3000) { database.release() }
    try #require(acknowledged.duration(to: .now) < .seconds(5))
    let lost = pages.lost(last: copy, besides: database)
    #expect(isOn ? lost == 0 : lost > 0, "\(lost) pages")
  }

  @Test(
    "A keeper that lets go without RELEASED in the mark page loses pages, and with it none",
    arguments: [false, true])
  func keeperSaysReleased(isOn: Bool) throws {
    let id = MigrationID.random()
    let mark = try MarkPageWriter(migration: id)
    let bytes = 8 << 20
    // Unmapped below, once.
    guard let memory = unsafe leafcutter_guest_populated_memory(bytes) else {
      Issue.record("there is no memory")
      return
    }
    var ring: Descriptor? = Descriptor(owning: unsafe leafcutter_guest_pin(memory, bytes))
    let first = UInt64(UInt(bitPattern: memory)) / 4096
    let pages = LostPages(
      migration: id, dropped: LostPages.frames(of: first..<first + UInt64(bytes) / 4096))
    #expect(pages.dropped.count == bytes / 4096)

    var ends: [Int32] = [-1, -1]
    // socketpair(2) writes two numbers.
    try #require(unsafe leafcutter_guest_socketpair(&ends) == 0)
    var link: LocalConnection? = LocalConnection(Descriptor(owning: ends[0]))
    let rules = rules { $0.saysReleasedFirst = isOn }
    let keeper = BlockingThread("keeper") { [socket = ends[1]] in
      var keeper = KeeperProcess(socket: socket, bound: 1)
      keeper.rules = rules
      keeper.serve()
    }
    _ = link?.awaitFrame(milliseconds: 2000)  // ready
    for (descriptor, page) in [(mark.pin, mark.memory), (ring!, nil)] {
      link?.send(
        LocalMessage.Keep(pid: getpid(), ring: descriptor.number), for: id, with: page)
      try #require(link?.awaitFrame(milliseconds: 2000) != nil)
    }
    // Guardian and database are killed together: the keeper is the last who holds anything.
    ring = nil
    unsafe munmap(memory, bytes)
    let kept = try SharedPage(of: mark.memory)
    link = nil
    keeper.join()
    let lost = pages.lost(last: kept)
    #expect(isOn ? lost == 0 : lost > 0, "\(lost) pages")
  }

  @Test(
    "A hold library that lets go without RELEASED in the mark page loses pages, and with it none",
    arguments: [false, true])
  func librarySaysReleased(isOn: Bool) throws {
    let library = try HoldLibraryInProcess()
    let id = MigrationID.random()
    let mark = try MarkPageWriter(migration: id)
    let frames = try library.hold(bytes: 8 << 20, mark: mark.memory).frames
    #expect(frames.count == 2048)
    let pages = LostPages(migration: id, dropped: frames)
    let kept = try SharedPage(of: mark.memory)
    library.saysReleasedFirst = isOn
    // Its guardian is dead and it has waited for as long as it must.
    #expect(library.abandon() == 0 && library.ring < 0)
    let lost = pages.lost(last: kept)
    #expect(isOn ? lost == 0 : lost > 0, "\(lost) pages")
  }

  /// A database that holds, reported to a proxy that drops everything at once.
  private func prepare(
    _ guardian: GuardianInProcess, postcopy: Bool = false
  ) throws -> (FakeDatabase, LostPages) {
    let database = try guardian.database()
    let id = MigrationID.random()
    guardian.proxy.prepare(id, postcopy: postcopy)
    #expect(database.holdWhenAsked())
    _ = try #require(guardian.proxy.awaitReport())
    let dropped = guardian.proxy.reportedPages
    #expect(dropped.count > 1024)
    return (database, LostPages(migration: id, dropped: dropped))
  }
}
