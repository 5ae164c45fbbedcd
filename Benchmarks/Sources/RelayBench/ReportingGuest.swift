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

  private func answer(_ migration: MigrationID, on link: Socket, _ report: [HeldPages]) {
    asked.withLock { $0 = migration }
    let mark = GuestMessage.Mark(
      guestPhysicalAddress: GuestMemory.guestPhysicalAddress(of: GuestMemory.markPage),
      time: ReportingGuest.time, guardianVersion: "bench")
    let end = GuestMessage.ReportEnd(
      pages: UInt64(report.reduce(0) { $0 + $1.count }), pagesZeroed: 0,
      probes: [GuestMemory.guestPhysicalAddress(of: GuestMemory.probePage)], leavesListed: 0,
      leavesInManifest: 0, leavesEvicted: 0, steps: [], notes: [])
    let messages: [any Message] = [mark] + report + [end]
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
      for: migration, at: GuestMemory.guestPhysicalAddress(of: GuestMemory.probePage))
  }

  /// CLOCK_MONOTONIC in nanoseconds.
  private static var time: UInt64 {
    var now = timespec()
    // A local of the right type.
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
