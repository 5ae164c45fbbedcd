import Glibc
import Logging
import Synchronization
import Threads

/// Withdraws what a mark page promises as soon as somebody in this machine begins to load another kernel, or
/// to start one (see ``LoadedKernel``).
///
/// Between the end of loading one and the moment when no process runs any more there may be less than the
/// 20 ms between two looks, and less than a REVOKE needs to the proxy. So the kernel tells of it before the
/// first byte is loaded (``KexecProbes``), a thread that goes before others hears it, and one word in memory
/// is all that it writes: the last copy of that word fails the proof. Where the kernel tells nobody, the
/// looks are what there is.
final class KexecWatch: Sendable {
  let loadedKernel: LoadedKernel
  /// Raised when a promise has been withdrawn.
  let noticed = WakeUp()
  private let changed = WakeUp()
  private let orders = Orders()

  private final class Orders: Sendable {
    let mark = Mutex<MarkPageWriter?>(nil)
    let areOver = Atomic(false)
  }

  /// Starts to watch; for nobody at first.
  init(_ loadedKernel: LoadedKernel, logger: Logger) {
    self.loadedKernel = loadedKernel
    let orders = self.orders
    let changed = self.changed
    let noticed = self.noticed
    _ = BlockingThread("kexec-watch") {
      KexecWatch.run(loadedKernel, orders, changed: changed, noticed: noticed, logger)
    }
  }

  deinit {
    orders.areOver.store(true, ordering: .releasing)
    changed.raise()
  }

  /// From now on it is this one's promise that is withdrawn; nil for nobody's.
  func watch(for mark: MarkPageWriter?) {
    orders.mark.withLock { $0 = mark }
    changed.raise()
  }

  private static let milliseconds: Int32 = 20

  private static func run(
    _ loadedKernel: LoadedKernel, _ orders: Orders, changed: WakeUp, noticed: WakeUp,
    _ logger: Logger
  ) {
    var probes = openProbes(logger)
    goBeforeOthers()
    while !orders.areOver.load(ordering: .acquiring) {
      if let old = probes, !old.coversAllProcessors { probes = openProbes(logger) }
      let isWanted = orders.mark.withLock { $0 != nil }
      let (begins, _) = pollBoth(
        (probes?.descriptor ?? -1, Int16(POLLIN)), (changed.descriptor, Int16(POLLIN)),
        for: isWanted ? milliseconds : -1)
      changed.lower()
      if begins != 0 { probes?.take() }
      guard begins != 0 || isWanted && loadedKernel.isThere else { continue }
      if orders.mark.withLock({ $0?.withdraw() ?? false }) { noticed.raise() }
    }
  }

  private static func openProbes(_ logger: Logger) -> KexecProbes? {
    do throws(SystemError) {
      return try KexecProbes()
    } catch {
      logger.info("\(error): whether a kernel has been loaded is looked for every 20 ms")
      return nil
    }
  }

  /// Refused where this process may not: then it waits for its turn like any other.
  private static func goBeforeOthers() {
    var lowest = sched_param(sched_priority: 1)
    // The calling thread, which runs for microseconds at a time.
    _ = unsafe sched_setscheduler(0, SCHED_FIFO, &lowest)
  }
}
