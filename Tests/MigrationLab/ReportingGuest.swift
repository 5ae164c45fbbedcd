import Glibc
import HookLink
import StreamProxy
import Synchronization
import Threads

/// Stands in for the guardian: answers PREPARE with the mark page and with the pages that the guest
/// never touches again, or fills those with zeroes where that is asked, and sends heartbeats. It writes
/// from outside, which is in nobody's dirty log: the mark page is made dirty by the guest, and the rest
/// lies after what was sent before the guest was asked.
public final class ReportingGuest: Sendable {
  let address: SocketAddress
  private let content: GuestContent
  private let memory: [GuestMemoryFile]
  private let listener: Listener
  private let heard = Mutex<[HostMessage]>([])

  private let preparation: Int
  private let lie: Lie?
  private let reported = Atomic(false)
  private let silent = Atomic(false)
  /// Of messages that want an acknowledgement.
  private let sequence = Atomic<UInt64>(0)
  /// The last migration that the guest was asked to take part in, and by whom.
  private let asked = Mutex<(migration: MigrationID, socket: Socket)?>(nil)

  /// - Parameters:
  ///   - memory: the layout's blocks; the mark page is in the first.
  ///   - preparation: how long it takes to report, in milliseconds.
  ///   - lie: what it says that is not so.
  init(
    path: String, content: GuestContent, memory: [GuestMemoryFile], preparation: Int = 0,
    lie: Lie? = nil
  ) throws {
    self.preparation = preparation
    self.lie = lie
    self.content = content
    address = .unix(path: path)
    self.memory = memory
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    _ = BlockingThread("guest") { [self] in
      while let socket = try? listener.accept() { serve(socket) }
    }
  }

  deinit { listener.cancel() }

  func stop() { listener.cancel() }

  public var messages: [HostMessage] { heard.withLock { $0 } }

  /// Once, at least.
  var hasReported: Bool { reported.load(ordering: .acquiring) }

  /// Whether a proxy has asked to fill what is held with zeroes.
  public var wasAskedForZeroes: Bool {
    messages.contains {
      if case .prepare(let request) = $0 { request.zeroHeldFrames } else { false }
    }
  }

  private func serve(_ socket: Socket) {
    var decoder = FrameDecoder()
    var migration = MigrationID.none
    unsafe withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { buffer in
      while true {
        var item = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        // One element, alive during the call.
        if unsafe poll(&item, 1, 200) > 0 {
          guard let count = try? unsafe socket.read(into: buffer), count > 0 else { return }
          unsafe decoder.append(buffer[..<count])
          while let frame = try? decoder.next() {
            guard let message = try? HostMessage(frame) else { continue }
            heard.withLock { $0.append(message) }
            if case .prepare(let request) = message {
              migration = frame.migration
              asked.withLock { $0 = (migration, socket) }
              answer(request, of: migration, on: socket)
            }
          }
        } else if migration != .none, !silent.load(ordering: .relaxed) {
          beat(for: migration, on: socket)
        }
      }
    }
  }

  /// Lets everything go without an acknowledgement, as a guest does that has lost its proxy.
  public func release() { write(.released) }

  /// Sends no heartbeat any more, as a guest that does not come to it.
  public func fallSilent() { silent.store(true, ordering: .relaxed) }

  /// Takes pages back; returns when the proxy has acknowledged it, or has not for ten seconds.
  public func revoke(_ range: Range<UInt64>) async throws {
    guard let (migration, socket) = asked.withLock({ $0 }) else {
      throw LabError("no proxy has asked the guest to prepare")
    }
    let number = nextSequence()
    let pageSize = UInt64(GuestMemoryFile.pageSize)
    let pages = PageRange(
      first: range.lowerBound / pageSize, count: UInt64(range.count) / pageSize)
    let revoke = GuestMessage.Revoke(sequence: number, ranges: [pages])
    send(revoke.frame(for: migration), on: socket)
    let acknowledged = HostMessage.acknowledge(.init(sequence: number))
    for _ in 0..<500 where !messages.contains(acknowledged) {
      try await Task.sleep(for: .milliseconds(20))
    }
    guard messages.contains(acknowledged) else {
      throw LabError("the proxy does not acknowledge a REVOKE")
    }
  }

  private func nextSequence() -> UInt64 {
    sequence.add(1, ordering: .relaxed).newValue
  }

  private func write(_ state: MarkPage.State) {
    memory[0].write(
      (0..<8).map { UInt8(truncatingIfNeeded: state.rawValue >> (8 * $0)) },
      at: mark + MarkPage.Offset.state)
  }

  private var time: UInt64 {
    memory[0].word(UInt64.self, at: mark + MarkPage.Offset.time)
  }

  private var mark: Int { Int(GuestContent.markAddress) }

  private func answer(
    _ request: HostMessage.Prepare, of migration: MigrationID, on socket: Socket
  ) {
    memory[0].write(MarkPage.identification(for: migration), at: mark)
    memory[0].write(
      [UInt8](repeating: 0, count: MarkPage.zeroes.count), at: mark + MarkPage.zeroes.lowerBound)
    write(.holding)
    if lie == .silentBeforeMark { return fallSilent() }
    let announced = GuestMessage.Mark(
      guestPhysicalAddress: UInt64(mark), time: time, guardianVersion: "test")
    send(announced.frame(for: migration), on: socket)
    usleep(UInt32(preparation * 1000))
    if lie == .silentBeforeReport { return fallSilent() }
    var end = GuestMessage.ReportEnd(
      pages: 0, pagesZeroed: 0, probes: [], leavesListed: 0, leavesInManifest: 0,
      leavesEvicted: 0, steps: [], notes: [])
    if request.zeroHeldFrames {
      end.pagesZeroed = zeroHeldPages()
    } else {
      // Written before they are reported, as the guest's own would be.
      writeProbes(migration)
      let pieces = content.heldPieces()
      let told = lie?.tellBefore(pieces, of: migration, layout: content.layout) {
        send($0, on: socket)
      }
      if lie == .silentInReport { return fallSilent() }
      if told == nil { for piece in pieces { send(piece.frame(for: migration), on: socket) } }
      end.pages = UInt64(told ?? pieces.reduce(0) { $0 + $1.count })
      end.probes = content.probes.flatMap { $0 }
    }
    if lie != .silentAfterReport { beat(for: migration, on: socket) }
    send(end.frame(for: migration), on: socket)
    reported.store(true, ordering: .releasing)
    if lie == .silentAfterReport { fallSilent() }
    lie?.tellAfter(of: migration, content: content) { send($0, on: socket) }
  }

  private func writeProbes(_ migration: MigrationID) {
    for (segment, probes) in zip(content.layout.segments, content.probes) {
      for address in probes {
        memory[segment.block].write(
          ProbePage.content(for: migration, at: address), at: segment.offset(of: address))
      }
    }
  }

  /// How many there are.
  private func zeroHeldPages() -> UInt64 {
    var count: UInt64 = 0
    for (index, segment) in content.layout.segments.enumerated() {
      content.forEachHeldPage(ofSegment: index) { address in
        memory[segment.block].zeroPage(at: segment.offset(of: address))
        count += 1
      }
    }
    return count
  }

  private func beat(for migration: MigrationID, on socket: Socket) {
    let beat = GuestMessage.Heartbeat(sequence: nextSequence(), time: time)
    send(beat.frame(for: migration), on: socket)
  }

  private func send(_ bytes: [UInt8], on socket: Socket) {
    // Alive during the call.
    try? unsafe bytes.withUnsafeBytes { try unsafe socket.writeAll($0) }
  }
}
