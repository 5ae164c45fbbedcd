import Synchronization

/// Whether the guest's side of the hook port is open.
///
/// QEMU's events name a port's device and not its socket, so QEMU is asked which port it was that has been closed. The
/// monitor does that while the guest runs, because a QEMU that stops its guest may be waiting for the very
/// bytes that a question would hold up.
final class HookPortWatch: Sendable {
  private struct State {
    /// The closed ports that QEMU was asked after.
    var asked: Set<String> = []
    /// Or may be.
    var isHookAmongThem = false
    /// Those of them whose state could not have changed any more without QEMU having said so.
    var settled: Set<String> = []
    /// Ports that were closed while the hook's was open.
    var others: Set<String> = []
  }

  private let path: String?
  private let qmp: QMPClient
  private let state = Mutex(State())

  /// QEMU tells of a port's changes once a second (VSERPORT_CHANGE).
  private static let eventInterval = Duration.milliseconds(1500)

  /// - Parameter hook: of the port behind a TCP socket QEMU tells nothing, so it may be any that closes.
  init(_ hook: SocketAddress?, _ qmp: QMPClient) {
    if case .unix(let path)? = hook { self.path = path } else { path = nil }
    self.qmp = qmp
  }

  /// A port has been closed or opened since QEMU was asked.
  var isBehind: Bool {
    guard path != nil else { return false }
    let (closed, settled) = (closedPorts, settledPorts)
    return state.withLock { $0.asked != closed || $0.settled != settled }
  }

  /// Asks QEMU where ``isBehind``. Blocks.
  func catchUp() {
    let (closed, settled) = (closedPorts, settledPorts)
    guard let path, isBehind else { return }
    var isHookAmongThem = false
    if !closed.isEmpty {
      do throws(QMPError) {
        // QEMU may know the socket by another path; then nobody can tell which port was closed.
        isHookAmongThem = try qmp.guestHasPortOpen(behindSocket: path) != true
      } catch {
        // It stays behind.
        return
      }
    }
    let stillClosed = closedPorts
    state.withLock {
      $0.asked = closed
      $0.settled = settled
      $0.isHookAmongThem = isHookAmongThem
      if !isHookAmongThem { $0.others.formUnion(settled.intersection(stillClosed)) }
    }
  }

  /// Also where a port has been closed and nobody knows yet whether it is another one.
  var mayBeClosed: Bool {
    guard path != nil else { return false }
    let closed = closedPorts
    return state.withLock { state in
      state.isHookAmongThem || !closed.isSubset(of: state.asked)
    }
  }

  /// Whether a port that is not known to be another one was closed after the guest has been heard of. It may be open
  /// again: another kernel's guardian opens it too, and knows nothing of the migration.
  func mayHaveClosed(since heard: ContinuousClock.Instant) -> Bool {
    let silence = heard.duration(to: .now) + HookPortWatch.detour
    let others = state.withLock { $0.others }
    return qmp.events.observation.portClosings.contains { id, time in
      time.duration(to: .now) < silence && !others.contains(id)
    }
  }

  private var settledPorts: Set<String> {
    let closings = qmp.events.observation.portClosings
    return closedPorts.filter { port in
      closings[port].map { $0.duration(to: .now) > HookPortWatch.eventInterval } ?? true
    }
  }

  /// By how much what the guest has said may be heard later than QEMU's word about its port.
  private static let detour = Duration.seconds(1)

  private var closedPorts: Set<String> {
    Set(qmp.events.observation.openPorts.filter { !$0.value }.keys)
  }
}
