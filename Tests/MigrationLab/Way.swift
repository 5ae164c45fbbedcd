/// One way to migrate: what is turned on, and what is to come of it.
public struct Way: Sendable {
  /// What the proxy makes of it.
  public enum Expectation: Equatable, Sendable {
    /// The held pages are dropped.
    case drops
    /// Nothing is dropped, and the summary's reason contains one of these.
    case passes([String])
    /// Nothing is dropped, the guest has filled what it holds with zeroes, and the summary's reason
    /// says so and contains this.
    case zeroes(String)
    /// QEMU does not migrate like this, with or without a proxy, and says something that contains this.
    case fails(String)
  }

  public enum Postcopy: Sendable {
    /// Milliseconds after `migrate`.
    case after(Int)
    /// When fewer bytes are left to be sent.
    case whenRemaining(UInt64)
    /// When so many rounds have begun.
    case afterRounds(UInt64)
  }

  /// A `block-dirty-bitmap-add`.
  public struct DirtyBitmap: Encodable, Sendable {
    var node: String
    var name: String
  }

  public var name: String
  /// At both ends.
  public var capabilities: [String] = []
  /// At the source only.
  public var sourceCapabilities: [String] = []
  public var parameters: [String: TestMachine.Parameter] = [:]
  public var expectation = Expectation.drops
  public var postcopy: Postcopy?
  /// Milliseconds after which the downtime limit is raised, so that it converges; until then it goes
  /// round and round.
  public var convergesAfter: Int?
  /// What the source may send, in bytes per second.
  public var bandwidth: Int?
  public var overTCP = false
  /// Stop the guest first: it writes faster than this way carries.
  public var stopped = false
  /// Of the machine type, in place of the newest.
  public var machineVersion: String?
  /// Milliseconds before the guest reports.
  public var preparation = 0
  /// What the guest says that is not so, if anything.
  public var lie: Lie?
  /// Everything behind TLS without certificates.
  public var encrypted = false
  /// Let the guest run at the destination, so that it asks for pages.
  public var runs = false
  /// Nobody looks at the guest's memory, so it may run in a QEMU that damages it.
  public var mayBeDamaged = false
  /// More of QEMU's arguments, at both ends.
  public var arguments: [String] = []
  public var dirtyBitmaps: [DirtyBitmap] = []
  /// Both guests have the same memory, as on one host.
  public var sharesMemory = false
  /// The source gives memory away that it has sent.
  public var emptiesSource = false
  /// The source's guest runs on after its state was taken.
  public var sourceGoesOn = false

  public init(_ name: String) { self.name = name }

  /// The same with something changed.
  public func with(_ change: (inout Way) -> Void) -> Way {
    var way = self
    change(&way)
    return way
  }

  /// Whether pages travel compressed by QEMU.
  var isCompressed: Bool {
    capabilities.contains("compress") || parameters["multifd-compression"] != nil
  }

  /// Of each segment's held pages, the least share that must have been dropped. Pages are dead once their
  /// segment's probe has passed. On one channel that is before all of them; with several, a channel is as
  /// far ahead of the probe's as sockets and schedulers let it be, some MiB of a segment of 60, and what
  /// is to be seen is that the segment was edited at all.
  public var leastShareDropped: Double {
    capabilities.contains("multifd") && parameters["multifd-channels"] != .number(1) ? 0.5 : 1
  }

  /// What is on and how it is set, for a table.
  public var settings: [String] {
    var all = capabilities + sourceCapabilities
    all += parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    if encrypted { all.append("tls") }
    if overTCP { all.append("tcp") }
    switch postcopy {
    case .after(0): all.append("switch at once")
    case .after(let milliseconds): all.append("switch after \(milliseconds) ms")
    case .whenRemaining(let bytes): all.append("switch with \(bytes >> 20) MiB left")
    case .afterRounds(let rounds): all.append("switch after \(rounds) rounds")
    case nil: break
    }
    if runs { all.append("guest runs") }
    return all
  }
}
