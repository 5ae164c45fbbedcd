import StreamProxy
import Testing

@testable import Lab

@Suite("A link that can be cut")
struct HookRelayTests {
  @Test("passes bytes both ways until it is cut, and then both ends have hung up")
  func cutting() throws {
    let directory = try temporaryDirectory()
    let listener = try Listener(.unix(path: "\(directory)/port"), receiveBuffer: 65_536)
    let relay = try HookRelay(at: "\(directory)/relay", to: "\(directory)/port")
    let proxy = try Socket.connect(to: .unix(path: relay.path))
    let guest = try #require(try listener.accept())
    try send([1, 2, 3], over: proxy)
    #expect(try receive(from: guest) == [1, 2, 3])
    try send([4], over: guest)
    #expect(try receive(from: proxy) == [4])
    relay.cut()
    #expect(try receive(from: guest) == [])
    #expect(try receive(from: proxy) == [])
  }

  @Test("says what neither has said, and loses what one has")
  func lying() throws {
    let directory = try temporaryDirectory()
    let listener = try Listener(.unix(path: "\(directory)/port"), receiveBuffer: 65_536)
    let relay = try HookRelay(at: "\(directory)/relay", to: "\(directory)/port")
    let proxy = try Socket.connect(to: .unix(path: relay.path))
    let guest = try #require(try listener.accept())
    try send([1, 2], over: guest)
    #expect(try receive(from: proxy) == [1, 2])
    #expect(relay.saidByTheGuest == [1, 2])
    relay.say([7], to: .proxy)
    #expect(try receive(from: proxy) == [7])
    relay.say([8, 9], to: .guest)
    #expect(try receive(from: guest) == [8, 9])
    relay.loseFromTheGuest(2)
    try send([3, 4, 5], over: guest)
    #expect(try receive(from: proxy) == [5])
    #expect(relay.saidByTheGuest == [1, 2, 3, 4, 5])
    relay.cut()
  }

  private func send(_ bytes: [UInt8], over socket: Socket) throws {
    // Alive during the call.
    try unsafe bytes.withUnsafeBytes { try unsafe socket.writeAll($0) }
  }

  /// What one read gives; nothing at the end of the stream.
  private func receive(from socket: Socket) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 16)
    // Filled at most to its size.
    let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe socket.read(into: $0) }
    return Array(buffer[..<count])
  }
}
