import Glibc
import HookLink
import StreamProxy
import Synchronization

/// Stands in for the guardian: answers PREPARE with the mark page and with the pages that the guest
/// never touches again, and sends heartbeats. It writes the mark page from outside; the guest's own
/// writes make it dirty.
public final class ReportingGuest: Sendable {
  let address: SocketAddress
  private let content: GuestContent
  private let memory: GuestMemoryFile
  private let listener: Listener
  private let heard = Mutex<[HostMessage]>([])

  private let preparation: Int

  /// - Parameters:
  ///   - memory: the block that holds the mark page, which is the first.
  ///   - preparation: how long it takes to report, in milliseconds.
  init(
    path: String, content: GuestContent, memory: GuestMemoryFile, preparation: Int = 0
  ) throws {
    self.preparation = preparation
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

  private func serve(_ socket: Socket) {
    var decoder = FrameDecoder()
    var migration = MigrationID.none
    var sequence: UInt64 = 0
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
            if case .prepare = message {
              migration = frame.migration
              answer(migration, on: socket)
            }
          }
        } else if migration != .none {
          sequence += 1
          let beat = GuestMessage.Heartbeat(sequence: sequence, time: time)
          send(beat.frame(for: migration), on: socket)
        }
      }
    }
  }

  /// Lets everything go without an acknowledgement, as a guest does that has lost its proxy.
  public func release() { write(.released) }

  private func write(_ state: MarkPage.State) {
    memory.write(
      (0..<8).map { UInt8(truncatingIfNeeded: state.rawValue >> (8 * $0)) },
      at: mark + MarkPage.Offset.state)
  }

  private var time: UInt64 {
    memory.word(UInt64.self, at: mark + MarkPage.Offset.time)
  }

  private var mark: Int { Int(GuestContent.markAddress) }

  private func answer(_ migration: MigrationID, on socket: Socket) {
    memory.write(MarkPage.identification(for: migration), at: mark)
    write(.holding)
    let announced = GuestMessage.Mark(
      guestPhysicalAddress: UInt64(mark), time: time, guardianVersion: "test")
    send(announced.frame(for: migration), on: socket)
    usleep(UInt32(preparation * 1000))
    let pieces = content.heldPieces()
    for piece in pieces { send(piece.frame(for: migration), on: socket) }
    let end = GuestMessage.ReportEnd(
      pages: UInt64(pieces.reduce(0) { $0 + $1.count }), leavesListed: 0, leavesInManifest: 0,
      leavesEvicted: 0, steps: [], notes: [])
    send(end.frame(for: migration), on: socket)
  }

  private func send(_ bytes: [UInt8], on socket: Socket) {
    // Alive during the call.
    try? unsafe bytes.withUnsafeBytes { try unsafe socket.writeAll($0) }
  }
}
