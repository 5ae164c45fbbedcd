import HookLink

/// What decides how well Leafcutter works in a guest. Read by ``GuestFacts/read(socket:port:)``,
/// judged by ``Diagnosis``.
public struct GuestFacts: Sendable {
  /// Whether the asking process was offered a system call: 0 or an errno value.
  public typealias Offer = Int32

  /// As uname(2) says, e.g. "6.12.48+deb13-cloud-amd64".
  public var kernel = ""
  /// UFFDIO_MOVE.
  public var move: Offer = 0
  /// PAGEMAP_SCAN.
  public var scan: Offer = 0
  public var ring: Offer = 0
  /// The sysctls; nil where the kernel has none of that name.
  public var unprivilegedUserfaultfd: Int?
  public var ioUringDisabled: Int?
  public var maxMapCount: Int?
  /// A kernel is loaded that kexec(8) would start.
  public var loadedKernel = false
  /// Whether one could be loaded at all.
  public var canLoadKernel = false
  /// Kernel probes that tell of it at once.
  public var kexecProbes: Offer = 0
  /// Bytes of swap that are on.
  public var swap: UInt64 = 0
  /// The chosen word of /sys/kernel/mm/transparent_hugepage/enabled; empty where there is no such file.
  public var hugePages = ""
  /// Whether the asking process may raise other processes' limits and see their memory.
  public var isRoot = true
  /// The name of the hook port, and its device where the host has given one of that name.
  public var port = ""
  public var portDevice: String?
  /// Why no guardian answers, or nil where one does.
  public var guardianProblem: String?
  /// Whether the guardian that answers runs as root.
  public var guardianIsRoot = true
  public var databases: [Database] = []
  /// Processes that have loaded the extension and whose databases have not registered.
  public var strangers: [Process] = []

  public init() {}

  public struct Process: Equatable, Sendable {
    public var pid: Int32
    public var name: String
    /// The guardian's socket does not let its user connect.
    public var isKeptOut: Bool

    public init(pid: Int32, name: String, isKeptOut: Bool = false) {
      self.pid = pid
      self.name = name
      self.isKeptOut = isKeptOut
    }
  }

  public struct Database: Equatable, Sendable {
    public var pid: Int32
    public var registration: LocalMessage.Register
    /// RLIMIT_MEMLOCK in bytes; `UInt64.max` without a limit, nil where it cannot be read.
    public var lockedMemoryLimit: UInt64?
    /// Bytes of memory that are its own.
    public var memory: UInt64
    /// Root may lock memory and use io_uring whatever the limits say.
    public var isRoot: Bool

    public init(
      pid: Int32, registration: LocalMessage.Register, lockedMemoryLimit: UInt64?, memory: UInt64,
      isRoot: Bool
    ) {
      self.pid = pid
      self.registration = registration
      self.lockedMemoryLimit = lockedMemoryLimit
      self.memory = memory
      self.isRoot = isRoot
    }
  }
}
