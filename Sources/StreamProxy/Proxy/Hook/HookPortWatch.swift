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
  }

  private let path: String?
  private let qmp: QMPClient
  private let state = Mutex(State())

  /// - Parameter hook: of a TCP socket nothing can be told.
  init(_ hook: SocketAddress?, _ qmp: QMPClient) {
    if case .unix(let path)? = hook { self.path = path } else { path = nil }
    self.qmp = qmp
  }

  /// A port has been closed or opened since QEMU was asked.
  var isBehind: Bool { path != nil && state.withLock { $0.asked } != closedPorts }

  /// Asks QEMU where ``isBehind``. Blocks.
  func catchUp() {
    let closed = closedPorts
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
    state.withLock { $0 = State(asked: closed, isHookAmongThem: isHookAmongThem) }
  }

  /// Also where a port has been closed and nobody knows yet whether it is another one.
  var mayBeClosed: Bool {
    guard path != nil else { return false }
    let closed = closedPorts
    return state.withLock { state in
      state.isHookAmongThem || !closed.isSubset(of: state.asked)
    }
  }

  private var closedPorts: Set<String> {
    Set(qmp.events.observation.openPorts.filter { !$0.value }.keys)
  }
}
