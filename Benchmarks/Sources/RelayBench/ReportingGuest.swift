import Glibc
import HookLink
import StreamProxy
import Synchronization
import Threads

/// The guardian behind the hook port: answers PREPARE with its mark page and a report of the dead pages.
final class ReportingGuest: Sendable {
  private let listener: Listener
  private let link = Mutex<Socket?>(nil)
  private let asked = Mutex<MigrationID?>(nil)
  private let reported = WakeUp()

  init(at address: SocketAddress, memory: GuestMemory, dead: DeadPattern) throws {
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    let report = memory.report(dead)
    _ = BlockingThread("guest") { [self] in
      guard let link = try? listener.accept() else { return }
      self.link.withLock { $0 = link }
      var decoder = FrameDecoder()
      while let bytes = link.readSome(), !bytes.isEmpty {
        decoder.append(bytes)
        while let frame = try? decoder.next() {
          if case .prepare = try? HostMessage(frame) { answer(frame.migration, on: link, report) }
        }
      }
    }
  }

  func close() {
    listener.cancel()
    link.withLock { $0?.shutDown() }
  }

  /// The migration that the report belongs to; nil where nobody has asked within ten seconds.
  func awaitReport() -> MigrationID? {
    guard reported.wait(for: .seconds(10)) else { return nil }
    return asked.withLock { $0 }
  }

  private func answer(_ migration: MigrationID, on link: Socket, _ report: HeldPages) {
    asked.withLock { $0 = migration }
    let messages: [any Message] = [
      GuestMessage.Mark(
        guestPhysicalAddress: UInt64(GuestMemory.markPage * GuestMemory.pageSize),
        time: ReportingGuest.time, guardianVersion: "bench"),
      report,
      GuestMessage.ReportEnd(
        pages: UInt64(report.count), pagesZeroed: 0,
        probes: [UInt64(GuestMemory.probePage * GuestMemory.pageSize)], leavesListed: 0,
        leavesInManifest: 0, leavesEvicted: 0, steps: [], notes: []),
    ]
    for message in messages { try? link.write(message.frame(for: migration)) }
    reported.raise()
  }

  /// The mark page as the guardian writes it now.
  static func mark(of migration: MigrationID) -> [UInt8] {
    var writer = PayloadWriter()
    writer.put(MarkPage.State.holding.rawValue)
    writer.put(UInt64(1))
    writer.put(time)
    let front = MarkPage.identification(for: migration) + writer.bytes
    return front + [UInt8](repeating: 0, count: GuestMemory.pageSize - front.count)
  }

  static func probe(of migration: MigrationID) -> [UInt8] {
    ProbePage.content(
      for: migration, at: UInt64(GuestMemory.probePage * GuestMemory.pageSize))
  }

  /// CLOCK_MONOTONIC in nanoseconds.
  private static var time: UInt64 {
    var now = timespec()
    // A local of the right type.
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
