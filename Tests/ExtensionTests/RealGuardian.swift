import CGuestSystem
import Foundation
import Glibc
import HookLink
import Testing

@testable import Guardian

/// `leafcutter-guest run` with one database, and a proxy's part at the other end of its port.
final class RealGuardian {
  private let process = Process()
  private let listener: Descriptor
  private let port: LocalConnection
  private let socket: String
  private let logPath: String
  let migration = MigrationID.random()
  /// Bytes of the payloads in which the last report said which frames are held.
  private(set) var reportedBytes = 0

  /// The release's where measurements are made.
  private static let program: String = {
    let release = DatabaseProcess.libraries + "/leafcutter-guest"
    return FileManager.default.fileExists(atPath: release)
      ? release : DatabaseProcess.products + "/leafcutter-guest"
  }()

  /// - Parameters:
  ///   - database: whose directory has its socket and its log.
  ///   - user: who runs it, without a capability of root's; nil for root.
  ///   - group: whose members may connect.
  init(for database: DatabaseProcess, user: UInt32? = nil, group: UInt32) throws {
    socket = database.socket
    logPath = database.directory + "/guardian.log"
    let portPath = database.directory + "/port"
    // The path is alive during the calls.
    listener = Descriptor(owning: unsafe leafcutter_guest_listen_unix(portPath))
    if let user { for path in [database.directory, portPath] { unsafe chown(path, user, group) } }
    // A socket is made by whoever listens.
    if user != nil { unsafe chmod(database.directory, 0o777) }
    _ = FileManager.default.createFile(atPath: logPath, contents: nil)
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      (user.map { DatabaseProcess.becoming($0) } ?? []) + [
        RealGuardian.program, "run", "--port", "unix:\(portPath)",
        "--socket", socket, "--no-page-cache", "--no-ballast", "--small-cache", "1",
      ] + (user == nil ? ["--socket-group", "\(group)"] : [])
    process.standardError = FileHandle(forWritingAtPath: logPath)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    var accepted: Int32 = -1
    for _ in 0..<1000 where accepted < 0 {
      accepted = leafcutter_guest_accept(listener.number)
      if accepted < 0 { usleep(10_000) }
    }
    try #require(accepted >= 0, "the guardian does not open its port")
    port = LocalConnection(Descriptor(owning: accepted))
  }

  deinit {
    // Not SIGTERM, which this process may have been started with blocked.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  var log: String { (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? "" }

  /// Until the database has registered.
  func waitForDatabase() throws { try waitForDatabases(1) }

  func waitForDatabases(_ count: Int) throws {
    var registered: Int { log.split(separator: "\n").count { $0.contains("database /") } }
    for _ in 0..<1000 where registered < count { usleep(10_000) }
    try #require(registered >= count, "\(registered) databases have registered; \(log)")
  }

  /// Has the guest prepare, and waits for its report.
  func report() throws -> GuestMessage.ReportEnd {
    reportedBytes = 0
    prepare()
    return try wait { message in
      if case .held(let pages) = message { reportedBytes += pages.bitmap.count + 8 }
      return if case .reportEnd(let end) = message { end } else { nil }
    }
  }

  /// Has the guest prepare, and waits for it to say that it cannot.
  func declined() throws -> GuestMessage.Declined {
    prepare()
    return try wait { message in
      guard case .declined(let declined) = message else { return nil }
      // What a guardian says that has just started is no answer.
      return declined.reason.contains("cannot") ? declined : nil
    }
  }

  private func prepare() {
    let all = MemorySegment(start: 1 << 20, length: 1 << 50)
    port.send(
      HostMessage.Prepare(
        postcopyPossible: false, zeroHeldFrames: false, timeoutMilliseconds: 20_000,
        segments: [all]), for: migration)
  }

  /// Ends the migration, and waits until the guest has its cache back.
  @discardableResult
  func abort() throws -> GuestMessage.Resumed {
    port.send(HostMessage.Abort(reason: "it was a test"), for: migration)
    return try wait { if case .resumed(let end) = $0 { end } else { nil } }
  }

  /// What `leafcutter-guest doctor` says, run by a user.
  func doctor(as user: UInt32? = nil) throws -> [String] {
    let doctor = Process()
    let output = Pipe()
    doctor.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    doctor.arguments =
      (user.map { DatabaseProcess.becoming($0) } ?? []) + [
        RealGuardian.program, "doctor", "--socket", socket,
      ]
    doctor.standardOutput = output
    try doctor.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    doctor.waitUntilExit()
    return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  private func wait<Found>(for chosen: (GuestMessage) -> Found?) throws -> Found {
    while let frame = port.awaitFrame(milliseconds: 30_000) {
      let message = try GuestMessage(frame)
      if case .heartbeat(let beat) = message {
        port.send(HostMessage.Acknowledge(sequence: beat.sequence), for: frame.migration)
      }
      if let found = chosen(message) { return found }
    }
    throw DatabaseComplaint(line: "the guardian says nothing more; \(log.suffix(2000))")
  }
}
