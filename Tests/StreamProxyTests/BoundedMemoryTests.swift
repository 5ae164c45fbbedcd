import Foundation
import HookLink
import StreamSamples
import Testing

@testable import StreamProxy

/// What a guest says costs the proxy no memory, however much it is.
@Suite(.serialized, .timeLimit(.minutes(10))) struct BoundedMemoryTests {
  /// More than one message, what has been read of the next, answers that nobody takes, and what an
  /// allocator keeps.
  private static let growth = 4 << 20

  @Test func aGuestThatNeverStopsTalkingCostsNoMemory() async throws {
    let scene = try Scene(whenAsked: { _ in [] })
    scene.guest.state.withLock { $0.isDeaf = true }
    let proxy = try ProxyProcess(scene.options)
    defer { proxy.kill() }
    let peak = await onThread { () -> (before: Int, after: Int, said: Int)? in
      guard let source = proxy.connect(scene.options.listen) else { return nil }
      try? source.write(Scene.beginning().sample.bytes)
      guard let migration = scene.guest.awaitPrepare() else { return nil }
      let before = proxy.anonymousMemory
      var (after, said) = (before, 0)
      for turn in 0..<30 {
        for bytes in BoundedMemoryTests.chatter(turn, in: migration) {
          scene.guest.say(bytes: bytes)
          said += bytes.count
        }
        after = max(after, proxy.anonymousMemory)
      }
      return (before, after, said)
    }
    let found = try #require(peak)
    print("said \(found.said >> 20) MiB, memory \(found.before >> 10) to \(found.after >> 10) KiB")
    #expect(proxy.isRunning)
    #expect(found.said > 3 * BoundedMemoryTests.growth)
    #expect(found.after - found.before < BoundedMemoryTests.growth)
  }

  /// Everything that a guest can say again and again without being given up.
  private static func chatter(_ turn: Int, in migration: MigrationID) -> [[UInt8]] {
    let first = UInt64(turn) << 16
    let ranges = (0..<8192).map { PageRange(first: first + UInt64(2 * $0), count: 1) }
    let text = String(repeating: "\(turn)", count: 50_000)
    let beats = (0..<500).flatMap {
      GuestMessage.Heartbeat(sequence: first + UInt64($0), time: Scene.guestTime)
        .frame(for: migration)
    }
    let pieces = (0..<200).flatMap {
      HeldPages(firstPage: UInt64(512 * ($0 + 1)), bitmap: [UInt8](repeating: 1, count: 64))
        .frame(for: migration)
    }
    return [
      GuestMessage.Revoke(sequence: first, ranges: ranges).frame(for: migration),
      // Of another migration, and what is no message at all.
      GuestMessage.Revoke(sequence: first, ranges: ranges).frame(for: .random()),
      [UInt8](repeating: 0x20, count: 300_000),
      GuestMessage.Progress(activity: text, done: 1, total: 2).frame(for: migration), beats, pieces,
    ]
  }
}

/// `leafcutter proxy`, as it was built beside the tests.
private final class ProxyProcess: Sendable {
  private let process: Process

  init(_ options: MigrationProxy.Options) throws {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let process = Process()
    process.executableURL = URL(filePath: tests).deletingLastPathComponent()
      .appending(path: "leafcutter")
    process.arguments = [
      "proxy", "--listen", "\(options.listen)", "--connect", "\(options.connect)", "--qmp",
      "\(options.qmp)", "--hook", "\(options.hook!)", "--log-level", "error",
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    self.process = process
  }

  var isRunning: Bool { process.isRunning }

  /// To its listening socket, as soon as that is there.
  func connect(_ address: SocketAddress) -> Socket? {
    var socket: Socket?
    _ = soon {
      socket = try? Socket.connect(to: address)
      return socket != nil
    }
    return socket
  }

  /// Bytes (RssAnon in /proc/PID/status).
  var anonymousMemory: Int {
    let path = "/proc/\(process.processIdentifier)/status"
    let status = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
    return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
  }

  func kill() { Glibc.kill(process.processIdentifier, SIGKILL) }
}
