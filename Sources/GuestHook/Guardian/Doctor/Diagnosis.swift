import Glibc

/// What a guest's facts mean for Leafcutter: one finding for each thing that matters.
public struct Diagnosis: Sendable {
  public enum Verdict: String, Comparable, Sendable {
    case well = "well"
    /// It works, and less well than it could.
    case degrades = "degrades"
    /// As long as this is so, no frame is held, for this database or at all.
    case nothingHeld = "nothing held"

    public static func < (one: Verdict, other: Verdict) -> Bool { one.severity < other.severity }

    private var severity: Int {
      switch self {
      case .well: 0
      case .degrades: 1
      case .nothingHeld: 2
      }
    }
  }

  public struct Finding: CustomStringConvertible, Sendable {
    public var verdict: Verdict
    /// What it is about, e.g. "kernel".
    public var topic: String
    public var fact: String
    /// What it degrades to and what to do, where it is not well.
    public var advice: String?

    public var description: String {
      "\(verdict.rawValue): \(topic): \(fact)" + (advice.map { "; \($0)" } ?? "")
    }
  }

  public private(set) var findings: [Finding] = []
  /// What a migration of this guest comes to. One database of several that cannot be held degrades.
  public private(set) var verdict = Verdict.well

  /// What a guest without a hold still gains.
  private static let withoutHold = """
    no frames are held: caches are still evicted and page cache dropped, and what that frees is filled \
    with zeroes, which takes longer and more of the network
    """

  public init(_ facts: GuestFacts) {
    let everywhere =
      Diagnosis.kernel(facts) + [Diagnosis.userfaultfd(facts), Diagnosis.ring(facts)]
      + [Diagnosis.mappings(facts), Diagnosis.hugePages(facts), Diagnosis.swap(facts)]
      + [Diagnosis.kexec(facts)]
      + [Diagnosis.port(facts), Diagnosis.guardian(facts)]
    let databases = facts.databases.map { Diagnosis.database($0, facts) }
    findings = everywhere + databases + Diagnosis.missing(facts)
    verdict = everywhere.map(\.verdict).max() ?? .well
    if facts.databases.isEmpty || databases.allSatisfy({ $0.verdict == .nothingHeld }) {
      verdict = .nothingHeld
    } else if findings.contains(where: { $0.verdict != .well }) {
      verdict = max(verdict, .degrades)
    }
  }

  private static func kernel(_ facts: GuestFacts) -> [Finding] {
    guard facts.scan == 0 || facts.scan == ENOSYS else {
      return [
        Finding(
          verdict: .nothingHeld, topic: "kernel",
          fact: "/proc/PID/pagemap is refused here: \(SystemError.reason(facts.scan))",
          advice: "\(withoutHold); let the database and the guardian read it")
      ]
    }
    let missing =
      (facts.move == ENOSYS ? ["UFFDIO_MOVE (Linux 6.8)"] : [])
      + (facts.scan == ENOSYS ? ["PAGEMAP_SCAN (Linux 6.7)"] : [])
    guard !missing.isEmpty else {
      return [Finding(verdict: .well, topic: "kernel", fact: "\(facts.kernel) can move pages")]
    }
    return [
      Finding(
        verdict: .degrades, topic: "kernel",
        fact: "\(facts.kernel) has no \(missing.joined(separator: " and no "))",
        advice: """
          \(longRunsOnly); boot Linux 6.8 or later (Debian 12: linux-image-cloud-amd64 of \
          bookworm-backports)
          """)
    ]
  }

  /// What mremap alone can do.
  private static let longRunsOnly = """
    only runs of pages from 16 KiB on are held, as far as vm.max_map_count reaches, and the rest is \
    filled with zeroes
    """

  private static func userfaultfd(_ facts: GuestFacts) -> Finding {
    let topic = "vm.unprivileged_userfaultfd"
    guard facts.move == 0 || facts.move == ENOSYS else {
      return Finding(
        verdict: .degrades, topic: topic,
        fact: "userfaultfd is refused here: \(SystemError.reason(facts.move))",
        advice: """
          \(longRunsOnly); allow the system call, which a seccomp filter or a security module refuses \
          (no setting of this sysctl does)
          """)
    }
    let value = facts.unprivilegedUserfaultfd.map { "\($0)" } ?? "not there"
    return Finding(
      verdict: .well, topic: topic,
      fact: "\(value), which suffices: only faults of user mode are handled")
  }

  private static func ring(_ facts: GuestFacts) -> Finding {
    let topic = "kernel.io_uring_disabled"
    let value = facts.ioUringDisabled ?? 0
    if facts.ring == ENOSYS {
      return Finding(
        verdict: .nothingHeld, topic: topic,
        fact: "\(facts.kernel) has no io_uring with a sparse table of buffers (Linux 5.19)",
        advice: "\(withoutHold), because nothing pins them; boot Linux 6.8 or later")
    }
    if value >= 2 || facts.ring != 0 {
      let reason =
        facts.ring == 0 ? "" : ", and io_uring is refused: \(SystemError.reason(facts.ring))"
      return Finding(
        verdict: .nothingHeld, topic: topic, fact: "\(value)\(reason)",
        advice:
          "\(withoutHold), because nothing pins them; set it to 0, and let no seccomp filter refuse it"
      )
    }
    // CAP_SYS_ADMIN is what it takes, or the group of kernel.io_uring_group.
    let refused = facts.databases.contains { !$0.isRoot }
    guard value == 1, refused else {
      return Finding(verdict: .well, topic: topic, fact: "\(value), and io_uring is to be had")
    }
    return Finding(
      verdict: .degrades, topic: topic, fact: "1, and a database does not run as root",
      advice: """
        it needs the group of kernel.io_uring_group, or nothing of it is held; set it to 0, or put \
        the database's user into that group
        """)
  }

  /// Runs that jemalloc gives back are mostly of this size (docs/measurements.md).
  private static let usualRun: UInt64 = 128 << 10

  private static func mappings(_ facts: GuestFacts) -> Finding {
    let topic = "vm.max_map_count"
    guard let limit = facts.maxMapCount else {
      return Finding(
        verdict: .degrades, topic: topic, fact: "cannot be read",
        advice: "pages are moved by UFFDIO_MOVE only, which is slower; mount /proc")
    }
    // Half of what the process leaves of it is for mremap (Sources/GuestHook/Hold/hold_area.c).
    let needed = (facts.databases.map(\.memory).max() ?? 0) / usualRun
    guard UInt64(max(limit / 2, 0)) < needed else {
      return Finding(
        verdict: .well, topic: topic, fact: "\(limit), half of it for mremap to move pages with")
    }
    return Finding(
      verdict: .degrades, topic: topic,
      fact:
        "\(limit), half of it for mremap to move pages with, and about \(needed) runs are to be moved",
      advice: """
        the rest is moved by UFFDIO_MOVE, which is slower, and most so under emulation; set it to \
        \(needed * 2 + 65_530)
        """)
  }

  private static func hugePages(_ facts: GuestFacts) -> Finding {
    let topic = "transparent huge pages"
    guard facts.hugePages == "always" else {
      let fact = facts.hugePages.isEmpty ? "not there" : facts.hugePages
      return Finding(verdict: .well, topic: topic, fact: fact)
    }
    return Finding(
      verdict: .degrades, topic: topic, fact: "always",
      advice: """
        huge pages that are dead in part are split when they are moved, and pinning takes the longer for \
        each byte the more is held; write madvise into /sys/kernel/mm/transparent_hugepage/enabled
        """)
  }

  private static func swap(_ facts: GuestFacts) -> Finding {
    guard facts.swap > 0 else { return Finding(verdict: .well, topic: "swap", fact: "none") }
    return Finding(
      verdict: .degrades, topic: "swap", fact: "\(facts.swap >> 20) MiB",
      advice: """
        memory that was swapped out has no frame to hold, and comes back over the swap device when its \
        leaves are evicted; give the guest memory for its caches, and swapoff
        """)
  }

  private static func kexec(_ facts: GuestFacts) -> Finding {
    guard facts.loadedKernel else {
      guard facts.canLoadKernel, facts.kexecProbes != 0 else {
        let fact = facts.canLoadKernel ? "no other kernel is loaded" : "no kernel can be loaded"
        return Finding(verdict: .well, topic: "kexec", fact: fact)
      }
      return Finding(
        verdict: .degrades, topic: "kexec",
        fact: "no other kernel is loaded, and kernel probes are refused: "
          + SystemError.reason(facts.kexecProbes),
        advice: """
          one that is loaded and started within 20 ms during a migration may lose memory; let the guardian \
          use perf's kprobes, or write 1 into /proc/sys/kernel/kexec_load_disabled
          """)
    }
    return Finding(
      verdict: .nothingHeld, topic: "kexec", fact: LoadedKernel.reason,
      advice: "migrations are ordinary ones as long as it is; unload it (kexec -u)")
  }

  private static func port(_ facts: GuestFacts) -> Finding {
    guard let device = facts.portDevice else {
      return Finding(
        verdict: .nothingHeld, topic: "hook port", fact: "there is no \(facts.port)",
        advice: """
          no proxy reaches this guest, so its migrations are ordinary ones; add the port to QEMU's \
          command line or the domain's XML, and load virtio_console
          """)
    }
    return Finding(verdict: .well, topic: "hook port", fact: "\(facts.port) is \(device)")
  }

  private static func guardian(_ facts: GuestFacts) -> Finding {
    guard let problem = facts.guardianProblem else {
      guard facts.guardianIsRoot else {
        return Finding(
          verdict: .nothingHeld, topic: "guardian", fact: "it answers, and does not run as root",
          advice: """
            it takes part in no migration, because the kernel tells only root which frame a page has; \
            start `leafcutter-guest run` as root
            """)
      }
      return Finding(verdict: .well, topic: "guardian", fact: "it answers")
    }
    return Finding(
      verdict: .nothingHeld, topic: "guardian", fact: problem,
      advice: "nothing happens when the guest is migrated; start `leafcutter-guest run` as root")
  }
}
