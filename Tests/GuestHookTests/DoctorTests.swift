import Glibc
import HookLink
import Testing

@testable import Guardian

/// What `leafcutter-guest doctor` makes of facts, and what facts it finds here.
struct DoctorTests {
  @Test func aGuestThatHasEverythingIsWell() {
    let diagnosis = Diagnosis(DoctorTests.healthy())
    #expect(diagnosis.verdict == .well)
    #expect(diagnosis.findings.allSatisfy { $0.verdict == .well && $0.advice == nil })
    let lines = diagnosis.findings.map(\.description)
    #expect(lines.contains { $0.contains("function tables of 11.3.1, on jemalloc, process 77") })
    #expect(lines.allSatisfy { !$0.contains("\n") })
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var change: @Sendable (inout GuestFacts) -> Void
    var topic: String
    var verdict: Diagnosis.Verdict
    var words: [String]
    /// Of the guest, where it is not that of the finding.
    var overall: Diagnosis.Verdict?
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "Linux 6.1",
      change: { ($0.kernel, $0.move, $0.scan) = ("6.1.0-37-amd64", ENOSYS, ENOSYS) },
      topic: "kernel", verdict: .degrades,
      words: ["6.1.0-37-amd64 has no UFFDIO_MOVE", "no PAGEMAP_SCAN", "16 KiB", "boot Linux 6.8"]),
    Case(
      name: "Linux 6.7", change: { $0.move = ENOSYS }, topic: "kernel", verdict: .degrades,
      words: ["UFFDIO_MOVE"]),
    Case(
      name: "no pagemap", change: { $0.scan = EACCES }, topic: "kernel", verdict: .nothingHeld,
      words: ["pagemap", "Permission denied"]),
    Case(
      name: "userfaultfd refused", change: { $0.move = EPERM },
      topic: "vm.unprivileged_userfaultfd",
      verdict: .degrades, words: ["Operation not permitted", "seccomp", "16 KiB"]),
    Case(
      name: "no unprivileged userfaultfd", change: { $0.unprivilegedUserfaultfd = 0 },
      topic: "vm.unprivileged_userfaultfd", verdict: .well, words: ["0, which suffices"]),
    Case(
      name: "io_uring off", change: { ($0.ioUringDisabled, $0.ring) = (2, EPERM) },
      topic: "kernel.io_uring_disabled", verdict: .nothingHeld, words: ["2", "set it to 0"]),
    Case(
      name: "a guardian that is not root", change: { $0.guardianIsRoot = false },
      topic: "guardian", verdict: .nothingHeld, words: ["does not run as root", "start"]),
    Case(
      name: "no sparse table of buffers", change: { $0.ring = ENOSYS },
      topic: "kernel.io_uring_disabled", verdict: .nothingHeld, words: ["5.19", "6.8"]),
    Case(
      name: "io_uring for root", change: { $0.ioUringDisabled = 1 },
      topic: "kernel.io_uring_disabled", verdict: .degrades, words: ["kernel.io_uring_group"]),
    Case(
      name: "io_uring for root, which the database is",
      change: {
        $0.ioUringDisabled = 1
        $0.databases[0].isRoot = true
      }, topic: "kernel.io_uring_disabled", verdict: .well, words: ["1"]),
    Case(
      name: "few mappings", change: { $0.maxMapCount = 4096 }, topic: "vm.max_map_count",
      verdict: .degrades, words: ["4096", "UFFDIO_MOVE, which is slower", "set it to 81914"]),
    Case(
      name: "huge pages always", change: { $0.hugePages = "always" },
      topic: "transparent huge pages", verdict: .degrades, words: ["split", "madvise"]),
    Case(
      name: "a kernel for kexec", change: { $0.loadedKernel = true }, topic: "kexec",
      verdict: .nothingHeld, words: ["another kernel", "kexec -u"]),
    Case(
      name: "kexec that nobody tells of",
      change: { ($0.canLoadKernel, $0.kexecProbes) = (true, ENOENT) }, topic: "kexec",
      verdict: .degrades, words: ["within 20 ms", "kexec_load_disabled"]),
    Case(
      name: "no kexec", change: { $0.kexecProbes = ENOENT }, topic: "kexec", verdict: .well,
      words: ["no kernel can be loaded"]),
    Case(
      name: "swap", change: { $0.swap = 1 << 30 }, topic: "swap", verdict: .degrades,
      words: ["1024 MiB", "swapoff"]),
    Case(
      name: "no port", change: { $0.portDevice = nil }, topic: "hook port", verdict: .nothingHeld,
      words: ["there is no org.leafcutter.hook.0", "ordinary", "QEMU"]),
    Case(
      name: "no guardian",
      change: {
        $0.guardianProblem = "no guardian: cannot connect"
        $0.databases = []
      }, topic: "guardian", verdict: .nothingHeld,
      words: ["cannot connect", "leafcutter-guest run"]),
    Case(
      name: "no database", change: { $0.databases = [] }, topic: "databases",
      verdict: .nothingHeld, words: ["none has registered", "libleafcutter_hold.so"]),
    Case(
      name: "glibc's malloc",
      change: {
        $0.databases[0].registration.allocator = "glibc"
        $0.databases[0].registration.holdsFrames = false
        $0.databases[0].registration.notes = ["preload libjemalloc.so.2"]
      }, topic: "database /data/db", verdict: .nothingHeld,
      words: ["on glibc", "preload libjemalloc.so.2", "read back"]),
    Case(
      name: "no hold library",
      change: {
        $0.databases[0].registration.allocator = ""
        $0.databases[0].registration.listsLeaves = false
        $0.databases[0].registration.holdsFrames = false
      }, topic: "database /data/db", verdict: .nothingHeld,
      words: ["unknown malloc", "shrunk and not read back"]),
    Case(
      name: "limited locked memory, asked by nobody in particular",
      change: {
        $0.isRoot = false
        $0.databases[0].lockedMemoryLimit = 8 << 20
      }, topic: "database /data/db", verdict: .degrades,
      words: ["8192 KiB", "LimitMEMLOCK=infinity"]),
    Case(
      name: "limited locked memory", change: { $0.databases[0].lockedMemoryLimit = 8 << 20 },
      topic: "database /data/db", verdict: .well, words: ["8192 KiB, which the guardian raises"]),
    Case(
      name: "one database of two",
      change: {
        var other = $0.databases[0]
        other.registration.home = "/data/other"
        other.registration.holdsFrames = false
        $0.databases.append(other)
      }, topic: "database /data/other", verdict: .nothingHeld, words: [], overall: .degrades),
    Case(
      name: "an unknown engine",
      change: { $0.strangers = [GuestFacts.Process(pid: 9, name: "mongod")] },
      topic: "process 9 (mongod)", verdict: .degrades, words: ["function tables are unknown"]),
    Case(
      name: "a database that the socket keeps out",
      change: {
        $0.strangers = [GuestFacts.Process(pid: 9, name: "mongod", isKeptOut: true)]
      }, topic: "process 9 (mongod)", verdict: .degrades, words: ["--socket-group"]),
  ]

  @Test(arguments: cases)
  func whatIsMissingIsNamedWithWhatItDegradesToAndWhatToDo(_ one: Case) throws {
    var facts = DoctorTests.healthy()
    one.change(&facts)
    let diagnosis = Diagnosis(facts)
    let finding = try #require(diagnosis.findings.first { $0.topic == one.topic })
    #expect(finding.verdict == one.verdict)
    #expect((finding.advice == nil) == (one.verdict == .well))
    for words in one.words { #expect(finding.description.contains(words), "\(finding)") }
    #expect(diagnosis.verdict == one.overall ?? one.verdict)
  }

  @Test(arguments: [
    // User, group and further groups of a process; owner root, group 107.
    (0, 0, "0", 0o600, true), (108, 109, "", 0o600, false), (108, 109, "", 0o660, false),
    (108, 107, "", 0o660, true), (108, 109, "4 107", 0o660, true), (108, 109, "4", 0o666, true),
  ])
  func whoMayConnectFollowsFromTheSocketsFile(
    user: Int, group: Int, further: String, mode: UInt32, admits: Bool
  ) {
    let status = """
      Name:\tmongod
      Uid:\t\(user)\t\(user)\t\(user)\t\(user)
      Gid:\t\(group)\t\(group)\t\(group)\t\(group)
      Groups:\t\(further)

      """
    #expect(SocketPermission(owner: 0, group: 107, mode: mode).admits(status) == admits)
  }

  @Test func aGroupIsGivenByItsNumberOrByItsName() {
    let groups = "root:x:0:\nmongodb:x:107:mongodb,backup\nbroken\nodd:x:many:\n"
    #expect(GroupName("107", groups: groups)?.number == 107)
    #expect(GroupName("mongodb", groups: groups)?.number == 107)
    for text in ["mongo", "broken", "odd", "", "-1"] {
      #expect(GroupName(text, groups: groups) == nil)
    }
  }

  @Test func theFactsOfThisMachineAreRead() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    let facts = GuestFacts.read(socket: fixture.socket, port: .named("no.such.port"))
    #expect(facts.kernel.first?.isNumber == true)
    #expect((facts.maxMapCount ?? 0) > 0)
    #expect(facts.portDevice == nil)
    #expect(facts.guardianProblem == nil)
    // The stand-in for a database is this process.
    let found = try #require(facts.databases.first)
    #expect(facts.databases.count == 1 && found.pid == getpid())
    #expect(found.registration.home == database.home)
    #expect(found.registration.allocator == "an allocator")
    #expect(found.memory > 1 << 20)
    var limit = rlimit()
    // A structure of our own, alive during the call.
    #expect(unsafe getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0)
    #expect(found.lockedMemoryLimit == UInt64(limit.rlim_cur))
    #expect(!facts.strangers.contains { $0.pid == getpid() })
  }

  @Test(arguments: [
    ("[always] madvise never\n", "always"), ("always [madvise] never\n", "madvise"),
    ("always madvise [never]\n", "never"), ("always", nil), ("", nil), ("[always", nil),
  ])
  func theChosenWordIsTheOneInBrackets(text: String, word: String?) {
    #expect(GuestFacts.bracketed(text) == word)
  }

  @Test func aGuardianThatDoesNotAnswerIsSaidSo() {
    let facts = GuestFacts.read(socket: "/nonexistent", port: .unix("/nonexistent"))
    #expect(facts.guardianProblem?.contains("cannot connect to /nonexistent") == true)
    #expect(Diagnosis(facts).verdict == .nothingHeld)
  }

  private static func healthy() -> GuestFacts {
    var facts = GuestFacts()
    facts.kernel = "6.12.48-amd64"
    (facts.unprivilegedUserfaultfd, facts.ioUringDisabled) = (0, 0)
    facts.maxMapCount = 65_530
    facts.hugePages = "madvise"
    (facts.port, facts.portDevice) = ("org.leafcutter.hook.0", "/dev/vport1p1")
    let registration = LocalMessage.Register(
      home: "/data/db", engine: "WiredTiger 11.3.1", layout: "11.3.1", allocator: "jemalloc",
      listsLeaves: true, holdsFrames: true, notes: [])
    facts.databases = [
      GuestFacts.Database(
        pid: 77, registration: registration, lockedMemoryLimit: .max, memory: 1 << 30, isRoot: false
      )
    ]
    return facts
  }
}
