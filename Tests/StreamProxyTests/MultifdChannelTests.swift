import Glibc
import HookLink
import Logging
import PageFilter
import StreamSamples
import Synchronization
import Testing
import Threads

@testable import StreamProxy

/// A multifd channel between two sockets: what arrives is byte for byte what the editor has decided,
/// however the source's bytes are cut and however little the destination takes at a time.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MultifdChannelTests {
  private static let block = "pc.ram"
  private static let blocks = [RAMBlock(name: block, usedLength: 5 << 30)]
  private static let pageSize = MultifdStream.pageSize

  /// A packet's pages, and which of them are dead.
  private struct Packet {
    var pages: [Int]
    var dead: Set<Int>

    /// `lengths` of runs, kept and dropped in turn.
    init(from page: Int, runs lengths: [Int], keepsFirst: Bool = true) {
      pages = Array(page..<page + lengths.reduce(0, +))
      dead = []
      var next = page
      for (index, length) in lengths.enumerated() {
        if (index % 2 == 0) != keepsFirst { dead.formUnion(next..<next + length) }
        next += length
      }
    }
  }

  /// Every way in which a packet can be carried: few runs, many short ones, long ones among them, at the
  /// beginning, in the middle and at the end, and as many short ones as do not fit into the buffer at once.
  private static let packets: [Packet] = [
    Packet(from: 1024, runs: [128]),
    Packet(from: 1152, runs: [40, 48, 40]),
    Packet(from: 1280, runs: Array(repeating: 1, count: 128)),
    Packet(from: 1408, runs: Array(repeating: 1, count: 128), keepsFirst: false),
    Packet(from: 1536, runs: [1, 1, 2, 1, 1, 20, 1, 3, 1, 1, 1, 1, 1, 30, 17, 1, 1, 2, 1, 1]),
    Packet(from: 1664, runs: [20, 20] + Array(repeating: 1, count: 20) + [16, 16, 15, 15]),
    Packet(from: 1792, runs: [16] + Array(repeating: 2, count: 16) + [80], keepsFirst: false),
    Packet(from: 1920, runs: Array(repeating: 15, count: 8), keepsFirst: false),
    Packet(
      from: 2048, runs: [5, 3, 4, 2, 1, 1, 3, 3, 2, 2, 1, 1, 1, 2, 1, 1, 4, 3], keepsFirst: false),
  ]

  private static func stream(_ packets: [Packet], edited: Bool) -> [UInt8] {
    var stream = MultifdStream(channel: 0)
    for packet in packets {
      stream.pages(
        block, normal: packet.pages.filter { !edited || !packet.dead.contains($0) },
        zero: edited ? packet.pages.filter { packet.dead.contains($0) } : [])
    }
    stream.sync()
    return stream.bytes
  }

  private func pair(tcp: Bool) throws -> (Socket, Socket) {
    guard tcp else {
      var pair: [Int32] = [0, 0]
      // Two descriptors are written into the array.
      try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
      return (Socket(owning: pair[0]), Socket(owning: pair[1]))
    }
    let listener = try Listener(freeTCPAddress(), receiveBuffer: 64 * 1024)
    let connected = try Socket.connect(to: listener.address)
    connected.sendAtOnce()
    return (connected, try #require(try listener.accept()))
  }

  /// What the destination reads of `bytes`, cut at `cuts`.
  ///
  /// - Parameters:
  ///   - trickles: the destination has a small buffer and is read a few KB at a time.
  ///   - pauses: the source waits after each cut, so that each piece is read by itself.
  private func carry(
    _ bytes: [UInt8], cutAt cuts: [Int], _ packets: [Packet], tcp: Bool, trickles: Bool = false,
    pauses: Bool = false, pointOfNoReturn: PointOfNoReturn = PointOfNoReturn()
  ) throws -> [UInt8] {
    let (qemu, source) = try pair(tcp: tcp)
    let (destination, target) = try pair(tcp: tcp)
    if trickles {
      // TCP with the least there is would wait for its timers.
      setSocketOption(destination.descriptor, SOL_SOCKET, SO_SNDBUF, tcp ? 64 * 1024 : 1)
      setSocketOption(target.descriptor, SOL_SOCKET, SO_RCVBUF, tcp ? 64 * 1024 : 1)
    }
    let session = EditingSession()
    session.learn(pageSize: MultifdChannelTests.pageSize)
    let reported = try ReportedPages(
      map: MemoryFixture.i440fx5G.map(), streamBlocks: MultifdChannelTests.blocks)
    for page in packets.flatMap(\.dead) { reported.dead.insert(page..<page + 1, block: 0) }
    session.decide(.init(blocks: MultifdChannelTests.blocks, reported: reported))
    let failure = Mutex<String?>(nil)
    let counted = Mutex(ChannelSnapshot())
    let relay = BlockingThread("relay") {
      do throws(ChannelFailure) {
        var channel = try MultifdChannel(
          Channel(
            id: 1, role: .multifd, source: source, destination: destination,
            outgoing: OutgoingWait(source: source) { _ in false },
            shortage: Shortage(logger: Logger(label: "test"))),
          session: session, marks: MarkLedger(), within: DowntimeLimit(), running: { 0 },
          claimFailure: { pointOfNoReturn.abandon() })
        try channel.relayUntilEnd { snapshot in counted.withLock { $0 = snapshot } }
      } catch {
        failure.withLock { $0 = "\(error)" }
      }
      destination.shutDownWriting()
    }
    let writer = BlockingThread("source") {
      var from = 0
      for cut in cuts + [bytes.count] where cut > from {
        try? qemu.writeAll(Array(bytes[from..<cut]))
        from = cut
        if pauses { usleep(300) }
      }
      qemu.shutDownWriting()
    }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: trickles ? 5003 : 1 << 20)
    while true {
      let count = try target.read(into: &buffer, from: 0)
      guard count > 0 else { break }
      received += buffer[..<count]
    }
    #expect(writer.join(for: .seconds(20)) && relay.join(for: .seconds(20)))
    #expect(failure.withLock { $0 } == nil)
    let snapshot = counted.withLock { $0 }
    #expect(snapshot.bytesWritten == received.count)
    return received
  }

  @Test(arguments: [true, false])
  func everyMixtureOfRunsArrivesAsItWasDecided(tcp: Bool) throws {
    let packets = MultifdChannelTests.packets
    let sent = MultifdChannelTests.stream(packets, edited: false)
    let expected = MultifdChannelTests.stream(packets, edited: true)
    #expect(try carry(sent, cutAt: [], packets, tcp: tcp) == expected)
    #expect(try carry(sent, cutAt: [], packets, tcp: tcp, trickles: true) == expected)
  }

  @Test(arguments: [true, false])
  func eachPacketArrivesWhereverTheSourcePauses(tcp: Bool) throws {
    for packet in MultifdChannelTests.packets {
      let sent = MultifdChannelTests.stream([packet], edited: false)
      let expected = MultifdChannelTests.stream([packet], edited: true)
      let cuts = Array(stride(from: 1, to: sent.count, by: 4093))
      #expect(try carry(sent, cutAt: cuts, [packet], tcp: tcp, pauses: true) == expected)
    }
  }

  /// Every byte of headers, and of the payload those on both sides of each page's edge.
  @Test func aPacketOfManyRunsArrivesWhereverItIsCutInTwo() throws {
    let packet = Packet(from: 2048, runs: [1, 1, 1, 2, 1, 1, 2, 1, 1, 17, 1, 1, 1, 1, 1, 1, 1, 2])
    let sent = MultifdChannelTests.stream([packet], edited: false)
    let expected = MultifdChannelTests.stream([packet], edited: true)
    let payload = 64 + 1344
    let end = payload + packet.pages.count * MultifdChannelTests.pageSize
    let edges = stride(from: payload, through: end, by: MultifdChannelTests.pageSize)
    let cuts =
      Array(stride(from: 1, to: payload, by: 131)) + edges.flatMap { [$0 - 1, $0, $0 + 1] }
    for cut in cuts {
      #expect(
        try carry(sent, cutAt: [cut], [packet], tcp: false, pauses: true) == expected,
        "cut at \(cut)")
    }
  }

  @Test(arguments: [true, false])
  func whatASourceThatEndsInsideAPacketHasSentOfItIsPassedOn(tcp: Bool) throws {
    for packet in [MultifdChannelTests.packets[2], MultifdChannelTests.packets[4]] {
      let sent = MultifdChannelTests.stream([packet], edited: false)
      let whole = MultifdChannelTests.stream([packet], edited: true)
      let payload = 64 + 1344
      for end in [
        payload, payload + 1, payload + 4096, payload + 9 * 4096 + 5, payload + 120 * 4096,
      ]
      where end < sent.count {
        let received = try carry(Array(sent[..<end]), cutAt: [], [packet], tcp: tcp)
        // Of whole pages, and of the one that was cut.
        let pages = (end - payload) / 4096
        let kept = packet.pages.prefix(pages).filter { !packet.dead.contains($0) }.count
        let cut = packet.pages.indices.contains(pages) && !packet.dead.contains(packet.pages[pages])
        let expected = payload + kept * 4096 + (cut ? (end - payload) % 4096 : 0)
        #expect(received == Array(whole[..<expected]), "ended at \(end)")
      }
    }
  }

  /// The main channel says to the others that it has passed the point a moment after it has.
  @Test func whatCannotBeReadIsPassedOnAsSoonAsTheGuestMayRun() throws {
    let packet = MultifdChannelTests.packets[1]
    let unread = [UInt8](repeating: 9, count: 5000)
    let passed = PointOfNoReturn()
    #expect(passed.pass())
    let sent = MultifdChannelTests.stream([packet], edited: false) + unread
    let received = try carry(sent, cutAt: [], [packet], tcp: false, pointOfNoReturn: passed)
    #expect(received == MultifdChannelTests.stream([packet], edited: true) + unread)
  }

  @Test(arguments: 0..<6)
  func arbitraryPacketsArriveAsTheyWereDecided(seed: Int) throws {
    var generator = SystemRandomNumberGenerator()
    let packets = (0..<12).map { index in
      var left = 128
      var runs: [Int] = []
      let longest = [1, 2, 6, 20, 90].randomElement(using: &generator) ?? 1
      while left > 0 {
        let run = min(left, Int.random(in: 1...longest, using: &generator))
        runs.append(run)
        left -= run
      }
      return Packet(
        from: 4096 + 128 * index, runs: runs, keepsFirst: Bool.random(using: &generator))
    }
    let sent = MultifdChannelTests.stream(packets, edited: false)
    let cuts = (0..<40).map { _ in Int.random(in: 1..<sent.count, using: &generator) }.sorted()
    let received = try carry(
      sent, cutAt: cuts, packets, tcp: seed % 2 == 0, trickles: seed % 3 == 0, pauses: true)
    let expected = MultifdChannelTests.stream(packets, edited: true)
    #expect(received == expected, "runs: \(packets.map { "\($0.dead.sorted())" })")
  }
}
