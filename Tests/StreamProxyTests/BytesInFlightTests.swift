import Glibc
import Testing

@testable import StreamProxy

/// What the proxy absorbs lengthens the downtime by the time that the wire needs for it.
struct BytesInFlightTests {
  private static let limit: UInt64 = 300

  private func buffer(_ gigabits: Double, limit: UInt64? = limit) -> Int {
    BytesInFlight.buffer(wire: gigabits * 125e6, downtimeLimit: limit)
  }

  @Test func upToAGigabitPerSecondTheBuffersStaySmall() {
    for gigabits in [0, 0.01, 0.94, 1, 2] {
      #expect(buffer(gigabits) == BytesInFlight.smallestBuffer)
    }
    #expect(BytesInFlight.buffer(wire: nil, downtimeLimit: 300) == BytesInFlight.smallestBuffer)
    #expect(buffer(40, limit: nil) == BytesInFlight.smallestBuffer)
    #expect(
      BytesInFlight.buffer(wire: .infinity, downtimeLimit: 300) == BytesInFlight.smallestBuffer)
  }

  @Test(arguments: [2.5, 10, 16, 25, 100])
  func aFasterWireGetsLargerBuffersOfWhichEachIsEmptiedInAMillisecond(gigabits: Double) {
    let size = buffer(gigabits)
    #expect(size > BytesInFlight.smallestBuffer && size <= BytesInFlight.largestBuffer)
    #expect(Double(size) / (gigabits * 125e6) <= 0.001)
    #expect(size == BytesInFlight.largestBuffer || Double(2 * size) / (gigabits * 125e6) > 0.001)
  }

  @Test func theBuffersTakeOnlyASmallPartOfAShortDowntimeLimit() {
    #expect(buffer(3, limit: 20) < buffer(3))
    #expect(Double(buffer(3, limit: 20)) / (3 * 125e6) <= 0.020 / 40)
    #expect(buffer(5, limit: 1) == BytesInFlight.smallestBuffer)
  }

  /// A rate as of windows of 100 ms, in bytes per second; negative ones without pushing back.
  private func rate(_ windows: [Double]) -> WireRate {
    var now = ContinuousClock.now
    var rate = WireRate(now: now)
    for bytes in windows {
      now += .milliseconds(100)
      rate.wrote(
        Int(abs(bytes) / 10), at: now, blockedFor: bytes > 0 ? .milliseconds(80) : .zero)
    }
    return rate
  }

  @Test func whatPassesWithoutPushingBackIsTheLeastThatTheWireTakes() {
    #expect(rate([]).capacity == nil)
    #expect(rate([-1e9]).capacity == 1e9)
    #expect(rate([-1e9, -2e9, -1e7]).capacity == 2e9)
    #expect(rate([3e9, -1e7]).capacity == 3e9)
  }

  @Test func aWireThatPushesBackAtALowerRateIsBelievedAtOnce() {
    #expect(rate([3e9, 3e9, 1e8]).capacity == 1e8)
    #expect(rate([-3e9, 1e8, -1e7]).capacity == 1e8)
  }

  /// Two connected TCP sockets; the first is the one that is accepted.
  private func connection() throws -> (accepted: Socket, connected: Socket) {
    for _ in 0..<50 {
      let address = SocketAddress.tcp(
        host: "127.0.0.1", port: "\(Int.random(in: 20_000..<30_000))")
      guard
        let listener = try? Listener(
          address, receiveBuffer: Int32(BytesInFlight.smallestBuffer),
          largestReceiveBuffer: Int32(BytesInFlight.largestBuffer))
      else { continue }
      let connected = try Socket.connect(to: address)
      return (try #require(try listener.accept()), connected)
    }
    throw SystemError("find a free port", code: EADDRINUSE)
  }

  private func option(_ socket: Socket, _ level: Int32, _ name: Int32) -> Int {
    var value: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    // An int and its length, alive during the call.
    _ = unsafe getsockopt(socket.descriptor, level, name, &value, &length)
    return Int(value)
  }

  /// The return path's pages requests and the last word of a migration are a few bytes each.
  @Test func whatIsSaidToASourceGoesOutAtOnce() throws {
    let accepted = try connection().accepted
    #expect(option(accepted, Int32(IPPROTO_TCP), TCP_NODELAY) == 1)
  }

  /// How many bytes wait to be read when the peer can send no more.
  private func waiting(in connection: (accepted: Socket, connected: Socket)) -> Int {
    let block = [UInt8](repeating: 7, count: 64 * 1024)
    var idle = 0
    while idle < 20 {
      // The array lives through the call.
      let sent = unsafe block.withUnsafeBytes {
        unsafe send(
          connection.connected.descriptor, $0.baseAddress, $0.count,
          Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
      }
      idle = sent > 0 ? 0 : idle + 1
      if sent <= 0 { usleep(2000) }
    }
    var count: Int32 = 0
    // FIONREAD writes an int.
    _ = unsafe ioctl(connection.accepted.descriptor, UInt(FIONREAD), &count)
    return Int(count)
  }

  private func drain(_ socket: Socket) throws {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    for _ in 0..<4 { _ = try socket.read(into: &bytes, from: 0) }
  }

  @Test func aConnectionBeginsSmallAndCanBeMadeToAbsorbMoreAndLessAgain() throws {
    let limit = DowntimeLimit()
    limit.learn(300)
    let source = try connection()
    let destination = try connection()
    var inFlight = BytesInFlight(source.accepted, destination.connected, within: limit)
    #expect(inFlight.bytes == BytesInFlight.smallest)
    // The kernel doubles what it is asked for, for its own bookkeeping, and fills some of that.
    #expect(waiting(in: source) <= 2 * BytesInFlight.smallestBuffer)

    inFlight.follow(rate([3e9]))
    let unsent: Int32 = 25  // TCP_NOTSENT_LOWAT of linux/tcp.h
    let large = BytesInFlight.buffer(wire: 3e9, downtimeLimit: 300)
    #expect(option(destination.connected, Int32(IPPROTO_TCP), unsent) == large)
    let granted = option(source.accepted, SOL_SOCKET, SO_RCVBUF) / 2
    #expect(inFlight.bytes == MainChannel.inputSize + granted + large)
    // The kernel bounds what may be asked for by net.core.rmem_max.
    if granted == large {
      for _ in 0..<4 {
        try drain(source.accepted)
        _ = waiting(in: source)
      }
      #expect(waiting(in: source) > large / 2)
    }

    inFlight.follow(rate([3e9, 1e8]))
    #expect(inFlight.bytes == BytesInFlight.smallest)
    #expect(
      option(source.accepted, SOL_SOCKET, SO_RCVBUF) / 2 == BytesInFlight.smallestBuffer)
    #expect(
      option(destination.connected, Int32(IPPROTO_TCP), unsent) == BytesInFlight.smallestBuffer)
  }

  @Test func unixSocketsStayWhatTheyAre() throws {
    var pair: [Int32] = [0, 0]
    // Two descriptors are written into the array.
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    let limit = DowntimeLimit()
    limit.learn(300)
    let (source, destination) = (Socket(owning: pair[0]), Socket(owning: pair[1]))
    let before = option(source, SOL_SOCKET, SO_RCVBUF)
    var inFlight = BytesInFlight(source, destination, within: limit)
    inFlight.follow(rate([3e9]))
    #expect(inFlight.bytes == BytesInFlight.smallest)
    #expect(option(source, SOL_SOCKET, SO_RCVBUF) == before)
  }
}
