import Glibc
import HookLink
import StreamProxy
import Synchronization

/// Stands in for the guardian: answers PREPARE with the mark page and with the pages that the guest
/// never touches again, and sends heartbeats. It writes the mark page from outside; the guest's own
/// writes make it dirty.
final class ReportingGuest: Sendable {
  let address: SocketAddress
  private let memory: GuestMemoryFile
  private let listener: Listener
  private let heard = Mutex<[HostMessage]>([])

  private let preparation: Int

  /// - Parameter preparation: how long it takes to report, in milliseconds.
  init(path: String, memory: GuestMemoryFile, preparation: Int = 0) throws {
    self.preparation = preparation
    address = .unix(path: path)
    self.memory = memory
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    _ = BlockingThread("guest") { [self] in
      while let socket = try? listener.accept() { serve(socket) }
    }
  }

  deinit { listener.cancel() }

  func stop() { listener.cancel() }

  var messages: [HostMessage] { heard.withLock { $0 } }

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
            if case .prepare(let request) = message {
              migration = frame.migration
              answer(request, of: migration, on: socket)
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
  func release() { write(.released) }

  private func write(_ state: MarkPage.State) {
    memory.write(
      (0..<8).map { UInt8(truncatingIfNeeded: state.rawValue >> (8 * $0)) },
      at: Firmware.markAddress + MarkPage.Offset.state)
  }

  private var time: UInt64 {
    memory.word(UInt64.self, at: Firmware.markAddress + MarkPage.Offset.time)
  }

  private func answer(
    _ request: HostMessage.Prepare, of migration: MigrationID, on socket: Socket
  ) {
    let mark = Firmware.markAddress
    memory.write(MarkPage.identification(for: migration), at: mark)
    write(.holding)
    let announced = GuestMessage.Mark(
      guestPhysicalAddress: UInt64(mark), time: time, guardianVersion: "test")
    send(announced.frame(for: migration), on: socket)
    usleep(UInt32(preparation * 1000))
    let pages = Firmware.held.count / GuestMemoryFile.pageSize
    if request.zeroHeldFrames {
      memory.zero(Firmware.held)
    } else {
      let held = HeldPages(
        firstPage: UInt64(Firmware.held.lowerBound / GuestMemoryFile.pageSize),
        bitmap: [UInt8](repeating: 0xff, count: pages / 8))
      send(held.frame(for: migration), on: socket)
    }
    let end = GuestMessage.ReportEnd(
      pages: request.zeroHeldFrames ? 0 : UInt64(pages),
      pagesZeroed: request.zeroHeldFrames ? UInt64(pages) : 0,
      probes: request.zeroHeldFrames ? [] : writeProbe(migration), leavesListed: 0,
      leavesInManifest: 0, leavesEvicted: 0, steps: [],
      notes: [])
    send(end.frame(for: migration), on: socket)
  }

  /// A page beside the mark page, which the guest never touches either. Its memory is one segment.
  private func writeProbe(_ migration: MigrationID) -> [UInt64] {
    let address = UInt64(Firmware.markAddress + GuestMemoryFile.pageSize)
    memory.write(ProbePage.content(for: migration, at: address), at: Int(address))
    return [address]
  }

  private func send(_ bytes: [UInt8], on socket: Socket) {
    // Alive during the call.
    try? unsafe bytes.withUnsafeBytes { try unsafe socket.writeAll($0) }
  }
}
