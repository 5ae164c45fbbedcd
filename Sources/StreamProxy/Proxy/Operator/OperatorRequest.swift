/// What an operator may ask of a proxy that runs: one line of text, answered by one line of JSON.
///
/// | line | done | answer |
/// |---|---|---|
/// | `status` | nothing | the progress (``ProgressReport``) |
/// | `retarget ADDRESS` | the next connections to the destination are made there | `{"target": "…"}` |
/// | `stop` | the migration is ended as by SIGTERM | `{"stopped": true}` |
///
/// A request that is not obeyed is answered with `{"error": "…"}`, one sentence.
public enum OperatorRequest: Equatable, Sendable {
  case status
  case retarget(SocketAddress)
  case stop

  /// - Throws: ``OperatorError``, what is wrong with the line.
  public init(line: String) throws(OperatorError) {
    let words = line.split(separator: " ", maxSplits: 1)
    switch (words.first, words.count > 1 ? String(words[1]) : nil) {
    case ("status", nil): self = .status
    case ("stop", nil): self = .stop
    case ("retarget", let text?):
      guard let address = SocketAddress(text) else {
        throw OperatorError("'\(text.prefix(100))' is no address: give tcp:HOST:PORT or unix:PATH")
      }
      self = .retarget(address)
    case ("retarget", nil):
      throw OperatorError("retarget needs the address that the destination listens on")
    default:
      throw OperatorError(
        "'\(line.prefix(100))' is no request: give status, retarget ADDRESS or stop")
    }
  }

  /// The line, without its end.
  public var line: String {
    switch self {
    case .status: "status"
    case .retarget(let address): "retarget \(address)"
    case .stop: "stop"
    }
  }
}

/// Why a request is not obeyed, in one sentence.
public struct OperatorError: Error, Equatable, Sendable, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}
