import HookLink
import Synchronization

/// Listens to what the guardian says at the destination, where no proxy is: how the refault goes and
/// what it came to. Connect it before the guest arrives.
public final class HookWatch: Sendable {
  fileprivate struct State {
    var decoder = FrameDecoder()
    var progress: GuestMessage.Progress?
    var resumed: GuestMessage.Resumed?
    var resumedAt: UInt64?
    var failure: String?
  }

  private final class Shared: Sendable {
    let state = Mutex(State())
  }

  private let shared = Shared()
  private let port: PortConnection

  public init(_ machine: VirtualMachine) throws(LabError) {
    let shared = self.shared
    port = try PortConnection(
      path: machine.socketPath(.hook), name: "\(machine.name) hook"
    ) { bytes, time in
      shared.state.withLock { $0.receive(bytes, at: time) }
    } atEnd: {
    }
  }

  deinit { port.close() }

  /// The last thing the guardian said about its progress.
  public var progress: GuestMessage.Progress? { shared.state.withLock { $0.progress } }

  /// When the guardian's last word arrived, in nanoseconds of the host's clock; nil before it.
  public var resumedAt: UInt64? { shared.state.withLock { $0.resumedAt } }

  /// Waits until the guardian says that the cache has been read back.
  public func waitForResumed(timeout: Double) throws(LabError) -> GuestMessage.Resumed {
    let resumed: GuestMessage.Resumed? = try HostClock.poll(every: 0.02, for: timeout) {
      () throws(LabError) in
      let (resumed, failure) = shared.state.withLock { ($0.resumed, $0.failure) }
      if let failure { throw LabError("the guardian at the destination: \(failure)") }
      return resumed
    }
    guard let resumed else {
      let last = progress.map { ", it was at \($0.activity) \($0.done) of \($0.total)" } ?? ""
      throw LabError("the guardian did not finish within \(Int(timeout)) s\(last)")
    }
    return resumed
  }
}

extension HookWatch.State {
  fileprivate mutating func receive(_ bytes: ArraySlice<UInt8>, at time: UInt64) {
    guard failure == nil else { return }
    do {
      decoder.append(bytes)
      while let frame = try decoder.next() {
        switch try? GuestMessage(frame) {
        case .progress(let value): progress = value
        case .resumed(let value):
          resumed = value
          resumedAt = time
        case .declined(let value): failure = value.reason
        default: break
        }
      }
    } catch {
      failure = "\(error)"
    }
  }
}
