import Glibc
import HookLink
import Logging
import Synchronization
import Testing
import Threads

@testable import StreamProxy

/// The linearization point of a revocation, under load: a page's bit is cleared, then the revocation is
/// acknowledged, then the guest writes, while the channels' threads look bits up. Run with
/// ThreadSanitizer by `make races`.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RevocationLoadTests {
  private static let channels = 2
  private static let rounds = 60

  @Test func whatIsWrittenAfterAnAcknowledgementArrives() throws {
    var dropped = 0
    for _ in 0..<RevocationLoadTests.rounds {
      let outcome = try migrate(SafetyRules())
      #expect(outcome.lost == 0)
      dropped += outcome.dropped
    }
    #expect(dropped > 0, "no page was dropped, so none could be lost")
  }

  @Test func whatIsAcknowledgedBeforeItIsClearedIsLost() throws {
    var rules = SafetyRules()
    rules.clearsBeforeAcknowledging = false
    #expect(try migrate(rules).lost > 0)
  }

  /// One migration, to the end of the guest's revocations; dropped pages, and those at the destination
  /// without what the guest has written into them last.
  private func migrate(_ rules: SafetyRules) throws -> (dropped: Int, lost: Int) {
    let memory = ModelMemory()
    let migration = MigrationID.random()
    let pages = try ReportedPages(
      map: ModelMemory.map,
      streamBlocks: [
        .init(name: ModelMemory.block, usedLength: UInt64(ModelMemory.pages) * 4096)
      ])
    var ends: [Int32] = [-1, -1]
    // socketpair(2) writes two numbers.
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    let hook = try HookConnection(Socket(owning: ends[0]), logger: Logger(label: "load"))
    var guest = ModelGuest(memory, migration, Socket(owning: ends[1]))
    #expect(hook.start())
    defer { hook.close() }
    hook.prepare(
      .init(
        postcopyPossible: false, zeroHeldFrames: false, timeoutMilliseconds: 1000,
        segments: pages.segments),
      session: GuestSession(migration: migration, pages: pages, rules: rules)
    ) { 1 }
    try guest.report()
    while hook.snapshot().session?.report == .awaited { usleep(1000) }
    pages.prove(0)

    let sources = (0..<RevocationLoadTests.channels).map { channel in
      Running { isOver in
        var source = ModelSource(
          memory, channel: channel, of: RevocationLoadTests.channels, dead: pages.dead)
        // What the guest has written before it was stopped is sent after it.
        while !isOver() { _ = source.sendRound() }
        while source.sendRound() > 0 {}
        return source.droppedPages
      }
    }
    try guest.takeEverythingBack()
    let counts = sources.map { $0.finish() }
    let lost = memory.pages.count {
      $0.now > 1 && $0.arrived.load(ordering: .relaxed) != $0.now
    }
    return (counts.reduce(0, +), lost)
  }
}

/// Work on a thread of its own that goes on until it is told that all else is over.
private final class Running: Sendable {
  private let isOver = Atomic(false)
  private let result = Mutex(0)
  private let ended = WakeUp()

  init(_ body: @escaping @Sendable (_ isOver: () -> Bool) -> Int) {
    _ = BlockingThread("model-source") { [self] in
      let count = body { self.isOver.load(ordering: .acquiring) }
      result.withLock { $0 = count }
      ended.raise()
    }
  }

  func finish() -> Int {
    isOver.store(true, ordering: .releasing)
    _ = waitReadable(ended.descriptor, or: nil)
    return result.withLock { $0 }
  }
}
