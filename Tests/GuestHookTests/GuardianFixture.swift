import CGuestSystem
import Glibc
import HookLink
import Testing

@testable import Guardian

/// A real guardian process with a fake proxy and a fake database around it.
final class GuardianFixture {
  let directory: String
  let socket: String
  let proxy: FakeProxy
  let guardian: ChildProcess

  /// Starts the guardian that was built beside the tests.
  convenience init(_ flags: String...) throws { try self.init(flags) }

  init(_ flags: [String]) throws {
    let template = Array("\(P_tmpdir)/leafcutter-guest-XXXXXX".utf8CString)
    var path = template
    // mkdtemp(3) writes into the array, which ends with a zero byte.
    _ = unsafe mkdtemp(&path)
    directory = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    socket = directory + "/guardian.sock"
    proxy = FakeProxy(path: directory + "/port")
    makeDirectory(directory + "/home")
    guardian = try ChildProcess(
      executable: GuardianFixture.executable,
      subcommand: [
        "run", "--port", "unix:\(directory)/port", "--socket", socket, "--log-level", "warning",
      ] + flags)
    proxy.accept()
  }

  deinit {
    if !guardian.isReaped { guardian.killAndWait() }
    for name in ["home/leaves.wt", "home/", "guardian.sock", "port", ""] {
      // The path is alive during the call.
      _ = unsafe remove("\(directory)/\(name)")
    }
  }

  /// A connection to the guardian that has said nothing yet.
  func connect() throws -> Descriptor {
    // The path is alive during the call.
    Descriptor(owning: unsafe leafcutter_guest_connect_unix(socket))
  }

  /// A database of which the guardian has heard.
  func database() throws -> FakeDatabase {
    try .registered(socket: socket, home: directory + "/home")
  }

  /// Asks for a migration, has the database hold, and waits for the report.
  func hold(with database: FakeDatabase, postcopy: Bool = false) throws -> MigrationID {
    let id = MigrationID.random()
    proxy.prepare(id, postcopy: postcopy)
    #expect(database.holdWhenAsked())
    _ = try #require(proxy.awaitReport())
    return id
  }

  /// How many io_urings the guardian has open.
  var ringCount: Int { ringCount(of: guardian.pid) }

  /// Whether the guardian, or its keeper, has so many io_urings open before long.
  func hasRings(_ count: Int, of process: pid_t? = nil) -> Bool {
    eventually { ringCount(of: process ?? guardian.pid) == count }
  }

  /// The keeper's process: the guardian's child.
  var keeper: pid_t? {
    let children = SmallFile.read("/proc/\(guardian.pid)/task/\(guardian.pid)/children") ?? ""
    return children.split(separator: " ").compactMap { pid_t($0) }.first
  }

  /// How many io_urings a process has open.
  func ringCount(of process: pid_t) -> Int {
    openFiles(of: process).count { $0 == "anon_inode:[io_uring]" }
  }

  /// What a process has open, as the kernel calls it.
  func openFiles(of process: pid_t) -> [String] {
    let directory = "/proc/\(process)/fd"
    return SmallFile.names(in: directory).map { name in
      var target = [CChar](repeating: 0, count: 256)
      // readlink(2) writes at most as many bytes as the array has.
      let count = unsafe readlink("\(directory)/\(name)", &target, target.count)
      return String(
        decoding: target[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
  }

  static var executable: String {
    var buffer = [CChar](repeating: 0, count: 4096)
    // readlink(2) writes at most as many bytes as the array has.
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    let own = buffer[..<max(0, count)].map(UInt8.init(bitPattern:))
    let text = String(decoding: own, as: UTF8.self)
    return text.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/leafcutter-guest"
  }
}

/// Whether something comes true within ten seconds, for which this thread waits.
func eventually(_ isTrue: () -> Bool) -> Bool {
  for _ in 0..<1000 {
    if isTrue() { return true }
    usleep(10_000)
  }
  return isTrue()
}

extension ChildProcess {
  /// Its exit code where it ends by itself before long; nil where it has to be killed.
  func exitCode() -> Int32? {
    if eventually({ hasEnded }) { return reap() }
    killAndWait()
    return nil
  }
}

private func makeDirectory(_ path: String) {
  // The path is alive during the call.
  _ = unsafe mkdir(path, 0o755)
}
