import EvaluationReport
import Glibc
import Lab

/// What a migration takes of processors and storage, as differences of what was counted before.
struct CostAccount {
  private let began = HostClock.now
  private let source: Double
  private let destination: Double
  private let guest: Double
  private let storage: [StorageUse]
  private let sourceMachine: VirtualMachine
  private let host: Double
  private let own: Double

  init(
    _ source: VirtualMachine, _ destination: VirtualMachine, _ store: StoreConsole
  ) throws(LabError) {
    sourceMachine = source
    host = ProcessorTime.host() ?? 0
    own = ProcessorTime.seconds(of: getpid()) ?? 0
    self.source = ProcessorTime.seconds(of: source.pid) ?? 0
    self.destination = ProcessorTime.seconds(of: destination.pid) ?? 0
    guest = try CostAccount.guestSeconds(store)
    storage = [try StorageUse.read(source), try StorageUse.read(destination)]
  }

  /// What the source's QEMU has taken; asked when the migration is over.
  func sourceSeconds(_ machine: VirtualMachine) -> Double {
    (ProcessorTime.seconds(of: machine.pid) ?? source) - source
  }

  /// - Parameter machine: the destination; nil where the guest never came there, for then its QEMU ends.
  func add(
    to run: inout Run, sourceSeconds: Double, destination machine: VirtualMachine?,
    store: StoreConsole
  ) throws(LabError) {
    var now = [try StorageUse.read(sourceMachine)]
    if let machine { now.append(try StorageUse.read(machine)) }
    let seconds = HostClock.seconds(from: began, to: HostClock.now)
    run[.settle] = seconds
    run[.sourceProcessor] = sourceSeconds
    let arrived =
      (machine.flatMap { ProcessorTime.seconds(of: $0.pid) } ?? destination) - destination
    run[.destinationProcessor] = arrived
    // The source's QEMU is stopped behind the migration, and takes nothing.
    let ours =
      sourceSeconds + arrived + (run[.proxyProcessor] ?? 0)
      + (ProcessorTime.seconds(of: getpid()) ?? own) - own
    run[.otherPrograms] = max(0, (ProcessorTime.host() ?? host) - host - ours) / seconds
    // The counters travel with the guest.
    run[.guestProcessor] = try CostAccount.guestSeconds(store) - guest
    run[.storageBytesRead] = zip(now, storage).reduce(0) { $0 + $1.0.bytes - $1.1.bytes }
    run[.storageReads] = zip(now, storage).reduce(0) { $0 + $1.0.reads - $1.1.reads }
  }

  private static func guestSeconds(_ store: StoreConsole) throws(LabError) -> Double {
    guard let busy = try store.ask("usage")["busy_ms"].flatMap({ Double($0) }) else {
      throw LabError("the guest does not say how long its processors were busy")
    }
    return busy / 1000
  }
}
