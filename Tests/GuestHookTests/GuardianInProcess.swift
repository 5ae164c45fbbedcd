import CGuestSystem
import Glibc
import InMemoryLogging
import Logging
import Synchronization
import Threads

@testable import Guardian

/// A guardian on a thread of this process: its rules and its kernel's word cannot be reached from outside of one.
final class GuardianInProcess {
  let proxy: FakeProxy
  /// What it has to say, but for details.
  let log = InMemoryLogHandler()
  let socket: String
  private let directory: String
  private let life: Life
  private let thread: BlockingThread

  private final class Life: Sendable {
    let isOver = Atomic(false)
    /// The guardian may wait for nothing else any more.
    let end = WakeUp()
  }

  /// - Parameters:
  ///   - loadedKernel: stands for the file in which the kernel says that another one is loaded.
  ///   - keeper: the program that is started as the keeper.
  init(
    _ rules: HoldRules = HoldRules(), loadedKernel: String? = nil,
    keeper: String = GuardianFixture.executable
  ) {
    // As the program does: a port is written to when nobody is there any more.
    signal(SIGPIPE, SIG_IGN)
    var path = Array("\(P_tmpdir)/leafcutter-rules-XXXXXX".utf8CString)
    // mkdtemp(3) writes into the array, which ends with a zero byte.
    _ = unsafe mkdtemp(&path)
    let directory = String(decoding: path.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    self.directory = directory
    socket = directory + "/guardian.sock"
    proxy = FakeProxy(path: directory + "/port")
    var options = GuardianOptions()
    options.port = .unix(directory + "/port")
    options.socket = socket
    options.executable = keeper
    options.dropsPageCache = false
    options.takesBallast = false
    options.rules = rules
    if let loadedKernel { options.loadedKernelPath = loadedKernel }
    let life = Life()
    self.life = life
    thread = BlockingThread("guardian") { [options, log] in
      var logger = Logger(label: "guardian") { _ in log }
      logger.logLevel = .notice
      guard let guardian = try? Guardian(options, logger: logger) else { return }
      while !life.isOver.load(ordering: .acquiring) { guardian.turn(or: life.end) }
      guardian.keeper.stop()
    }
    proxy.accept()
  }

  deinit {
    life.isOver.store(true, ordering: .releasing)
    life.end.raise()
    proxy.hangUp()
    thread.join()
    for name in ["guardian.sock", "port", ""] {
      // The path is alive during the call.
      _ = unsafe remove("\(directory)/\(name)")
    }
  }

  /// A database of which the guardian has heard.
  func database() throws -> FakeDatabase {
    try .registered(socket: socket, home: directory)
  }
}
