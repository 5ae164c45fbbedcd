import CGuestSystem
import Glibc
import HookLink
import Synchronization
import Threads

/// Owns one migration's mark page: makes and pins it, and advances it.
///
/// A thread of its own rewrites counter and time every 20 ms, whatever the guardian is busy with.
final class MarkPageWriter: Sendable {
  private static let interval = Duration.milliseconds(20)

  let migration: MigrationID
  /// The page's memory, for the keeper and the databases.
  let memory: Descriptor
  /// The pin, for the keeper to duplicate.
  let pin: Descriptor
  /// Where the page is in the guest's memory.
  let guestPhysicalAddress: UInt64
  private let page: SharedPage
  /// Whether something is promised that could be withdrawn.
  private let promises = Mutex(true)
  private let stopping: WakeUp
  private let thread: BlockingThread

  /// Makes the page, says HOLDING in it and starts to advance it.
  ///
  /// - Throws: ``SystemError``; EPERM where frame numbers are not shown to this process, EAGAIN where it gets no
  ///   thread.
  init(migration: MigrationID) throws(SystemError) {
    // Literal text.
    let memory = unsafe leafcutter_guest_page_memfd("leafcutter-mark")
    guard memory >= 0 else { throw SystemError("make the mark page") }
    self.memory = Descriptor(owning: memory)
    let page = try SharedPage(of: self.memory)
    page.writeIdentification(MarkPage.identification(for: migration))
    page.store(MarkPage.State.holding.rawValue, at: MarkPage.Offset.state)
    page.advance()
    pin = try page.pin()
    // Only now: pinning may move a page.
    guard let frame = page.frame else {
      throw SystemError(
        "read frame numbers in /proc/self/pagemap, which are told only to root", code: EPERM)
    }
    guestPhysicalAddress = frame * HeldPages.pageSize
    self.migration = migration
    self.page = page
    guard let stopping = WakeUp.makeIfPossible() else { throw SystemError("make an eventfd") }
    let thread = BlockingThread.makeIfPossible("mark-page") {
      while !stopping.wait(for: MarkPageWriter.interval) { page.advance() }
    }
    guard let thread else {
      throw SystemError("start the thread that writes the mark page", code: EAGAIN)
    }
    self.stopping = stopping
    self.thread = thread
  }

  deinit {
    stopping.raise()
    thread.join()
  }

  /// Whether the page says, now, that this is the destination.
  var saysDestination: Bool { page.saysDestination(of: migration) }

  /// Says WITHDRAWN, from any thread; false where nothing is promised any more.
  ///
  /// It counts as soon as it is written: it needs no message, and so no time before the guest stops.
  @discardableResult
  func withdraw() -> Bool {
    promises.withLock { promises in
      promises
        && page.exchange(
          MarkPage.State.holding.rawValue, for: MarkPage.State.withdrawn.rawValue,
          at: MarkPage.Offset.state)
    }
  }

  var isWithdrawn: Bool {
    page.load(at: MarkPage.Offset.state) == MarkPage.State.withdrawn.rawValue
  }

  /// Nobody drops a frame any more, or RELEASED is written: there is nothing left to withdraw, and what has
  /// been is answered.
  func nothingIsHeld() {
    promises.withLock { promises in
      promises = false
      _ = page.exchange(
        MarkPage.State.withdrawn.rawValue, for: MarkPage.State.holding.rawValue,
        at: MarkPage.Offset.state)
    }
  }

  /// Says RELEASED, and makes sure that it is said before anything that follows.
  func writeReleased() { page.writeReleased() }
}
