import Glibc
import Logging
import Synchronization
import Threads

/// What goes on beside the databases' eviction and after the report, on a thread of its own: the page
/// cache of the databases' files is dropped, then the memory that this prepare freed is taken as
/// ballast; and both once more when the databases are done, for what they have read and freed.
final class Reclaimer: Sendable {
  struct Plan: Sendable {
    /// Directories of databases whose files' page cache is dropped; empty to leave that out.
    var homes: [String]
    /// Free memory when PREPARE came, in bytes; nil to take no ballast.
    var freeAtPrepare: UInt64?
    /// What stays available, in bytes.
    var headroom: UInt64
    var executable: String
  }

  /// Something to tell the operator.
  struct News: Sendable {
    var activity: String
    var done: UInt64
    var total: UInt64
  }

  /// Raised when there is something to tell.
  let changed: WakeUp
  private let plan: Plan
  private let logger: Logger
  private let done: WakeUp
  /// Keeps the ballast until the end.
  private let wakeBallast: WakeUp
  private struct State {
    var cancelled = false
    /// Ballast is being taken or kept.
    var hasBallast = false
    /// The process that has it, as long as nobody has waited for that process's end, and what becomes readable when
    /// its memory is free.
    var ballast: (process: pid_t, life: Descriptor)?
  }

  private let state = Mutex(State())
  private let news = Mutex<[News]>([])

  /// nil where descriptors have run out.
  init?(_ plan: Plan, logger: Logger) {
    guard let changed = WakeUp.makeIfPossible(), let done = WakeUp.makeIfPossible(),
      let wakeBallast = WakeUp.makeIfPossible()
    else { return nil }
    self.changed = changed
    self.done = done
    self.wakeBallast = wakeBallast
    self.plan = plan
    self.logger = logger
  }

  /// - Returns: false where no thread is to be had; then nothing is done.
  func start() -> Bool { BlockingThread.makeIfPossible("reclaim") { self.work() } != nil }

  /// Tells it to end, and gives the ballast back; ``hasGivenBack`` says when none is left. The thread may be waiting for
  /// storage, so it is not relied on.
  func stop() {
    state.withLock { state in
      state.cancelled = true
      if let ballast = state.ballast { kill(ballast.process, SIGKILL) }
    }
    done.raise()
    wakeBallast.raise()
  }

  /// Nothing more will be freed or read by the databases' own steps.
  func databasesAreDone() { done.raise() }

  /// There is no ballast, and after ``stop()`` there will be none.
  var hasGivenBack: Bool {
    state.withLock { state in
      !state.hasBallast || state.cancelled && state.ballast?.life.isReady() == true
    }
  }

  private var isCancelled: Bool { state.withLock { $0.cancelled } }

  /// What there is to tell, once.
  func takeNews() -> [News] {
    changed.lower()
    return news.withLock { news in
      defer { news = [] }
      return news
    }
  }

  private func work() {
    if !plan.homes.isEmpty { dropPageCache() }
    guard let free = plan.freeAtPrepare else { return }
    let goesOn = state.withLock { state in
      state.hasBallast = !state.cancelled
      return state.hasBallast
    }
    guard goesOn else { return }
    keepBallast(freeAtPrepare: free)
    state.withLock { $0.hasBallast = false }
  }

  /// Returns when the ballast has been given back.
  private func keepBallast(freeAtPrepare: UInt64) {
    let ballast: Ballast
    do throws(SystemError) {
      ballast = try Ballast(executable: plan.executable)
    } catch {
      logger.error("no ballast: \(error)")
      return
    }
    state.withLock { $0.ballast = (ballast.pid, ballast.life) }
    grow(ballast, freeAtPrepare: freeAtPrepare)
    done.wait()
    if !isCancelled {
      if !plan.homes.isEmpty { dropPageCache() }
      grow(ballast, freeAtPrepare: freeAtPrepare)
    }
    wakeBallast.wait()
    state.withLock { $0.ballast = nil }
    ballast.giveBack()
  }

  private func dropPageCache() {
    let began = monotonicNanoseconds()
    let before = MemoryInfo.now()?.cached ?? 0
    var cache = PageCache()
    for home in plan.homes { cache.drop(below: home) { isCancelled } }
    let after = MemoryInfo.now()?.cached ?? before
    let dropped = before > after ? before - after : 0
    tell(
      "page cache of \(cache.files) database files dropped in \(milliseconds(since: began)) ms",
      dropped, before)
  }

  /// No more than this prepare freed, and never what is to stay available.
  private func grow(_ ballast: Ballast, freeAtPrepare: UInt64) {
    let began = monotonicNanoseconds()
    // What the ballast has is no longer free.
    guard let now = MemoryInfo.now(), now.free > freeAtPrepare + Ballast.chunk else { return }
    let wanted = ballast.bytes + now.free - freeAtPrepare
    while ballast.bytes + Ballast.chunk <= wanted, !isCancelled {
      guard let now = MemoryInfo.now(), now.available > plan.headroom + Ballast.chunk,
        ballast.grow()
      else { break }
    }
    tell(
      "free memory filled with zeroes in \(milliseconds(since: began)) ms", ballast.bytes, wanted)
  }

  private func milliseconds(since began: UInt64) -> UInt64 {
    (monotonicNanoseconds() - began) / 1_000_000
  }

  private func tell(_ activity: String, _ done: UInt64, _ total: UInt64) {
    logger.info("\(activity): \(done >> 20) of \(total >> 20) MiB")
    news.withLock { $0.append(News(activity: activity, done: done, total: total)) }
    changed.raise()
  }
}
