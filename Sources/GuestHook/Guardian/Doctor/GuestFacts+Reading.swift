import CGuestSystem
import Glibc
import HookLink

extension GuestFacts {
  /// Asks the kernel and the guardian.
  ///
  /// - Parameters:
  ///   - socket: the guardian's.
  ///   - port: the hook port that the guardian uses.
  public static func read(socket: String, port: PortAddress) -> GuestFacts {
    var facts = GuestFacts()
    facts.kernel = word("/proc/sys/kernel/osrelease") ?? "of unknown release"
    facts.move = leafcutter_guest_check_move()
    facts.scan = leafcutter_guest_check_scan()
    facts.ring = leafcutter_guest_check_ring()
    facts.unprivilegedUserfaultfd = word("/proc/sys/vm/unprivileged_userfaultfd").flatMap {
      Int($0)
    }
    facts.ioUringDisabled = word("/proc/sys/kernel/io_uring_disabled").flatMap { Int($0) }
    facts.maxMapCount = word("/proc/sys/vm/max_map_count").flatMap { Int($0) }
    facts.loadedKernel = LoadedKernel().isThere
    facts.canLoadKernel =
      SmallFile.exists(LoadedKernel.path) && word("/proc/sys/kernel/kexec_load_disabled") != "1"
    facts.swap = kibibytes("SwapTotal:", in: "/proc/meminfo") ?? 0
    facts.hugePages = chosen("/sys/kernel/mm/transparent_hugepage/enabled")
    facts.isRoot = geteuid() == 0
    // Nobody else may, and it is the guardian that has to.
    if facts.canLoadKernel, facts.isRoot {
      do throws(SystemError) { _ = try KexecProbes() } catch { facts.kexecProbes = error.code }
    }
    facts.port = port.description
    facts.portDevice =
      switch port {
      case .named(let name): PortAddress.device(ofPortNamed: name)
      case .device(let path), .unix(let path): SmallFile.exists(path) ? path : nil
      }
    do throws(GuardianClient.Failure) {
      let client = try GuardianClient(socket: socket)
      facts.guardianIsRoot = client.guardianIsRoot
      let answer = try client.ask(LocalMessage.DatabasesRequest()) { _ in }
      guard case .databases(let list) = answer else {
        throw .unreachable("its answer is another message")
      }
      facts.databases = list.entries.map { Database($0) }
    } catch {
      facts.guardianProblem =
        switch error {
        case .unreachable(let reason): reason
        case .refused: error.description
        }
    }
    let known = Set(facts.databases.map(\.pid))
    facts.strangers = processesWithTheExtension(socket: socket).filter { !known.contains($0.pid) }
    return facts
  }

  private static func word(_ path: String) -> String? {
    SmallFile.read(path)?.split(whereSeparator: \.isWhitespace).first.map(String.init)
  }

  private static func chosen(_ path: String) -> String {
    SmallFile.read(path).flatMap { bracketed($0) } ?? ""
  }

  /// The word in brackets, by which sysfs shows a choice.
  static func bracketed(_ text: String) -> String? {
    guard let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]")
    else { return nil }
    return String(text[text.index(after: open)..<close])
  }

  fileprivate static func kibibytes(_ field: String, in path: String) -> UInt64? {
    let line = SmallFile.read(path)?.split(separator: "\n").first { $0.hasPrefix(field) }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first
      .flatMap { UInt64($0) }.map { $0 * 1024 }
  }

  private static func processesWithTheExtension(socket: String) -> [Process] {
    let permission = SocketPermission(socket)
    return SmallFile.names(in: "/proc").compactMap { Int32($0) }.sorted().compactMap { pid in
      guard SmallFile.contains("/libleafcutter_wt.so", "/proc/\(pid)/maps") else { return nil }
      let status = SmallFile.read("/proc/\(pid)/status") ?? ""
      return Process(
        pid: pid, name: word("/proc/\(pid)/comm") ?? "?",
        isKeptOut: permission.map { !$0.admits(status) } ?? false)
    }
  }
}

extension GuestFacts.Database {
  init(_ entry: LocalMessage.Databases.Entry) {
    let status = SmallFile.read("/proc/\(entry.pid)/status") ?? ""
    let users = status.split(separator: "\n").first { $0.hasPrefix("Uid:") }?
      .split(whereSeparator: \.isWhitespace)
    // The soft limit, a number of bytes or "unlimited", stands after the three words of the name.
    let limits = SmallFile.read("/proc/\(entry.pid)/limits") ?? ""
    let limit = limits.split(separator: "\n").first { $0.hasPrefix("Max locked memory") }?
      .split(whereSeparator: \.isWhitespace).dropFirst(3).first
    self.init(
      pid: entry.pid, registration: entry.registration,
      lockedMemoryLimit: limit == "unlimited" ? .max : limit.flatMap { UInt64($0) },
      memory: GuestFacts.kibibytes("RssAnon:", in: "/proc/\(entry.pid)/status") ?? 0,
      // Real, effective, saved, file system.
      isRoot: users.map { $0.count > 2 && $0[2] == "0" } ?? false)
  }
}
