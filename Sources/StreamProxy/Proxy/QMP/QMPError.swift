/// Why a QMP command, or the whole connection, came to nothing.
public enum QMPError: Error, Equatable, Sendable {
  /// Nobody listens at the address, or it cannot be reached.
  case cannotConnect(address: String, reason: String)
  /// The socket took the connection and nobody greeted within the time.
  case heldByAnotherClient(address: String, waited: Duration)
  /// What answered is not a QMP server.
  case notQMP(address: String, received: String)
  /// QEMU answered the command with an error; `errorClass` is QAPI's, e.g. `GenericError`.
  case refused(command: String, errorClass: String, description: String)
  /// No answer within the time. The connection is still good; a late answer is thrown away.
  case timedOut(command: String, waited: Duration)
  /// The answer has another shape than the command's in QAPI.
  case unexpectedReply(command: String, detail: String)
  /// The connection ended or broke; nothing can be sent or learned through it any more.
  case connectionLost(reason: String)
  /// ``QMPClient/close()`` was called.
  case closed
}

extension QMPError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .cannotConnect(let address, let reason):
      "cannot connect to the QMP socket \(address): \(reason)"
    case .heldByAnotherClient(let address, let waited):
      """
      the QMP socket \(address) took the connection but did not greet within \(waited), so another \
      client holds it: a QMP socket serves one client; give the proxy one of its own
      """
    case .notQMP(let address, let received):
      "what listens at \(address) is not a QMP server: it began with \"\(received)\""
    case .refused(let command, let errorClass, let description):
      "QEMU refused \(command): \(description) (\(errorClass))"
    case .timedOut(let command, let waited):
      "QEMU did not answer \(command) within \(waited)"
    case .unexpectedReply(let command, let detail):
      "QEMU answered \(command) with something unexpected: \(detail)"
    case .connectionLost(let reason):
      "the QMP connection is lost: \(reason)"
    case .closed:
      "the QMP connection has been closed"
    }
  }
}
