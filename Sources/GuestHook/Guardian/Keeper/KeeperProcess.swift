import CGuestSystem
import Glibc
import HookLink

/// The keeper: a process whose only task is to have duplicates of the rings, and to let go of them in
/// the right order when the guardian has died.
public struct KeeperProcess {
  private static let cgroup = "leafcutter-keeper"

  private let guardian: LocalConnection
  private let bound: Int
  private var rings: [Descriptor] = []
  private var page: SharedPage?
  private var migration = MigrationID.none
  var rules = HoldRules()
  /// Whether this process has been told to end.
  var isToldToEnd = KeeperProcess.terminationIsPending

  /// - Parameters:
  ///   - socket: The socket pair's end that the guardian gave this process.
  ///   - bound: Seconds for which frames stay held after the guardian's death.
  public init(socket: Int32, bound: Int) {
    guardian = LocalConnection(Descriptor(owning: socket))
    self.bound = bound
  }

  /// Serves the guardian until it has gone and nothing is held.
  public mutating func run() {
    outliveTheGuardian()
    serve()
  }

  mutating func serve() {
    guardian.send(LocalMessage.LetGo(), for: .none)  // ready, and nothing is kept
    while guardian.ended == nil {
      if let frame = guardian.awaitFrame(milliseconds: 600_000) { obey(frame) }
    }
    guard !rings.isEmpty else { return }
    waitForTheEnd()
    if rules.saysReleasedFirst { page?.writeReleased() }
    if isToldToEnd(), page?.saysDestination(of: migration) != true { waitOutTheLease() }
    rings = []
  }

  /// Nothing that ends the guardian's service, session or memory cgroup is to end this process. A SIGTERM waits, and
  /// says when it comes to the worst that there may be no time left (see ``waitForTheEnd()``).
  private func outliveTheGuardian() {
    setsid()
    for number in [SIGINT, SIGHUP, SIGPIPE] { signal(number, SIG_IGN) }
    var set = sigset_t()
    // Filled in by the calls, alive during them. This process has one thread.
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGTERM)
    _ = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    SmallFile.write("-1000", to: "/proc/self/oom_score_adj")
    mlockall(MCL_CURRENT)
    guard let mount = KeeperProcess.cgroupMount() else { return }
    // The path is alive during the call. An existing one is as good.
    unsafe mkdir("\(mount)/\(KeeperProcess.cgroup)", 0o755)
    SmallFile.write("0", to: "\(mount)/\(KeeperProcess.cgroup)/cgroup.procs")
  }

  private static func cgroupMount() -> String? {
    for line in (SmallFile.read("/proc/self/mounts") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ")
      if fields.count > 2, fields[2] == "cgroup2" { return String(fields[1]) }
    }
    return nil
  }

  private mutating func obey(_ frame: Frame) {
    switch try? LocalMessage(frame) {
    case .keep(let request): keep(request, for: frame.migration)
    case .letGo:
      rings = []
      page = nil
      guardian.send(LocalMessage.LetGo(), for: frame.migration)
    default: break
    }
  }

  private mutating func keep(_ request: LocalMessage.Keep, for migration: MigrationID) {
    do throws(SystemError) {
      if let memory = guardian.takeDescriptor() {
        page = try SharedPage(of: memory)
        self.migration = migration
        // What came before was somebody's mistake, and this process is still there.
        KeeperProcess.forgetTermination()
      }
      let holder = leafcutter_guest_pidfd_open(request.pid)
      guard holder >= 0 else { throw SystemError("open process \(request.pid)") }
      let process = Descriptor(owning: holder)
      let ring = leafcutter_guest_take_descriptor(process.number, request.ring)
      guard ring >= 0 else { throw SystemError("duplicate a ring of process \(request.pid)") }
      rings.append(Descriptor(owning: ring))
      guardian.send(request, for: migration)
    } catch {
      guardian.send(LocalMessage.Failed(step: "keep", reason: error.description), for: migration)
    }
  }

  /// Waits out the bound, or until the verdict says that nobody can drop anything any more; no longer where
  /// this process has been told to end: whoever ends all processes of a system (a soft reboot, init's last round)
  /// sends SIGKILL next, and what SIGKILL ends says nothing.
  private func waitForTheEnd() {
    let deadline = monotonicNanoseconds() + .seconds(UInt64(bound))
    while monotonicNanoseconds() < deadline, !isToldToEnd() {
      if page?.saysDestination(of: migration) == true { return }
      usleep(10_000)
    }
  }

  /// In post-copy a RELEASED may travel too late for the proxy, which counts on the lease then.
  private func waitOutTheLease() {
    let deadline = monotonicNanoseconds() + HoldLimits.lease
    while monotonicNanoseconds() < deadline, page?.saysDestination(of: migration) != true {
      usleep(50_000)
    }
  }

  private static func forgetTermination() {
    var set = sigset_t()
    var none = timespec()
    // Filled in by the calls, alive during them.
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, SIGTERM)
    while unsafe sigtimedwait(&set, nil, &none) == SIGTERM {}
  }

  /// A SIGTERM that is blocked waits.
  private static func terminationIsPending() -> Bool {
    var set = sigset_t()
    // Filled in by the call.
    return unsafe sigpending(&set) == 0 && sigismember(&set, SIGTERM) == 1
  }
}
