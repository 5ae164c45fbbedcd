import CGuestSystem
import HookLink

/// A client of a running guardian: one request, one answer.
public struct GuardianClient {
  /// Reading a large cache back takes minutes; every progress message starts this anew.
  private static let patience = 600_000

  /// Why there is no answer.
  public enum Failure: Error, CustomStringConvertible {
    case unreachable(String)
    case refused(step: String, reason: String)

    public var isRefusal: Bool {
      if case .refused = self { true } else { false }
    }

    public var description: String {
      switch self {
      case .unreachable(let reason): "no guardian: \(reason); is `leafcutter-guest run` running?"
      case .refused(let step, let reason): "\(step) was refused: \(reason)"
      }
    }
  }

  private let connection: LocalConnection

  /// - Throws: ``Failure/unreachable(_:)``.
  public init(socket path: String) throws(Failure) {
    // The path is alive during the call.
    let socket = unsafe leafcutter_guest_connect_unix(path)
    guard socket >= 0 else { throw .unreachable(SystemError("connect to \(path)").description) }
    connection = LocalConnection(Descriptor(owning: socket))
  }

  /// Whether the guardian may see frame numbers and reach into databases.
  var guardianIsRoot: Bool { leafcutter_guest_peer_is_root(connection.socket.number) }

  /// Sends a request and waits for its answer.
  ///
  /// - Throws: ``Failure``.
  public func ask(
    _ request: some Message, progress: (GuestMessage.Progress) -> Void
  ) throws(Failure) -> LocalMessage {
    connection.send(request, for: .none)
    while let frame = connection.awaitFrame(milliseconds: GuardianClient.patience) {
      let message: LocalMessage
      do throws(MessageError) {
        message = try LocalMessage(frame)
      } catch {
        throw .unreachable("the guardian's answer cannot be used: \(error)")
      }
      switch message {
      case .progress(let now): progress(now)
      case .failed(let failure): throw .refused(step: failure.step, reason: failure.reason)
      default: return message
      }
    }
    throw .unreachable(connection.ended ?? "it does not answer")
  }
}
