/// Where a stream socket listens or is reached, as QEMU's `migrate` writes it: `tcp:HOST:PORT` or
/// `unix:PATH`. An IPv6 host stands in brackets: `tcp:[::1]:4444`.
public enum SocketAddress: Equatable, Sendable {
  case tcp(host: String, port: String)
  case unix(path: String)

  /// nil when the text is neither form, the port is no number up to 65535, or the path is too long
  /// for a socket address (107 bytes).
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst("unix:".count))
      guard !path.isEmpty, path.utf8.count < SocketAddress.maximumPathLength else { return nil }
      self = .unix(path: path)
    } else if text.hasPrefix("tcp:") {
      let rest = text.dropFirst("tcp:".count)
      guard let colon = rest.lastIndex(of: ":") else { return nil }
      var host = rest[..<colon]
      let port = rest[rest.index(after: colon)...]
      if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
      guard UInt16(port) != nil else { return nil }
      self = .tcp(host: String(host), port: String(port))
    } else {
      return nil
    }
  }

  /// Why a text is no address.
  public static func problem(of text: String) -> String {
    let length = text.utf8.count - "unix:".utf8.count
    guard text.hasPrefix("unix:"), length >= maximumPathLength else {
      return "It is neither tcp:HOST:PORT, with a port up to 65535, nor unix:PATH."
    }
    let most = maximumPathLength - 1
    return "Its path has \(length) bytes, and a socket's may have \(most) (unix(7))."
  }

  /// `sizeof(sockaddr_un.sun_path)`.
  static let maximumPathLength = 108
}

extension SocketAddress: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tcp(let host, let port):
      host.contains(":") ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}
