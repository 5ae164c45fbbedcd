import Glibc
import Testing

@testable import StreamProxy

@Suite(.serialized) struct ConnectingTests {
  /// Whether this host is ::1 first, and 127.0.0.1 after it.
  private static let hasTwoAddresses =
    (try? ResolvedAddress.resolve(.tcp(host: "", port: "1"), toListen: false, action: "connect"))
    .map { $0.count > 1 && $0[0].family == AF_INET6 } ?? false

  @Test(.enabled(if: hasTwoAddresses))
  func anAddressThatDoesNotAnswerLeavesTimeForTheOthers() throws {
    let address = try freeTCPAddress()
    guard case .tcp(_, let port) = address else { return }
    let listener = try Listener(address, receiveBuffer: 64 * 1024)
    let silent = try Silent(host: "::1", port: port)
    defer { withExtendedLifetime(silent) {} }
    let began = ContinuousClock.now
    _ = try Socket.connect(to: .tcp(host: "", port: port), within: .seconds(4))
    let time = began.duration(to: .now)
    // It was waited for.
    #expect(time > .seconds(1) && time < .seconds(4), "\(time)")
    withExtendedLifetime(listener) {}
  }

  /// Listens, and its queue of connections is full, so that the kernel answers nobody.
  private final class Silent {
    private let listening: Socket
    private let waiting: [Socket]

    init(host: String, port: String) throws {
      let address = SocketAddress.tcp(host: host, port: port)
      let candidate = try #require(
        ResolvedAddress.resolve(address, toListen: true, action: "listen").first)
      listening = Socket(owning: try candidate.makeSocket(action: "listen"))
      try #require(candidate.bind(listening.descriptor) && listen(listening.descriptor, 0) == 0)
      waiting = try (0..<4).map { _ in
        let socket = Socket(owning: try candidate.makeSocket(action: "connect", blocks: false))
        _ = candidate.connect(socket.descriptor)
        return socket
      }
    }
  }
}
