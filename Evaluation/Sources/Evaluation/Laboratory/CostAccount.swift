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
  private let destinationMachine: VirtualMachine
  private let host: Double
  private let own: Double

  init(
    _ source: VirtualMachine, _ destination: VirtualMachine, _ store: StoreConsole
  ) throws(LabError) {
    sourceMachine = source
    destinationMachine = destination
    host = try ProcessorTime.host()
    own = try ProcessorTime.of(getpid())
    self.source = try ProcessorTime.of(source.pid)
    self.destination = try ProcessorTime.of(destination.pid)
    guest = try CostAccount.guestSeconds(store)
    storage = [try StorageUse.read(source), try StorageUse.read(destination)]
  }

  /// What the source's QEMU has taken; asked when the migration is over, after which it is stopped.
  func sourceSeconds() throws(LabError) -> Double {
    try ProcessorTime.of(sourceMachine.pid) - source
  }

  /// What the destination's QEMU has taken; asked while it runs, and a cancelled migration ends it.
  func destinationSeconds() throws(LabError) -> Double {
    try ProcessorTime.of(destinationMachine.pid) - destination
  }

  /// Adds what was taken until now. What the programs took that migrate stands in the run already.
  ///
  /// - Parameters:
  ///   - machines: those whose QEMU runs, and can be asked what it has read.
  ///   - store: where the guest is now.
  func add(
    to run: inout Run, storageOf machines: [VirtualMachine], store: StoreConsole
  ) throws(LabError) {
    var now: [StorageUse] = []
    for machine in machines { now.append(try StorageUse.read(machine)) }
    let seconds = HostClock.seconds(from: began, to: HostClock.now)
    run[.observed] = seconds
    run[.otherPrograms] = CostAccount.otherPrograms(
      host: try ProcessorTime.host() - host,
      ours: [run.processorSeconds ?? 0, try ProcessorTime.of(getpid()) - own], in: seconds)
    // The counters travel with the guest.
    run[.guestProcessor] = try CostAccount.guestSeconds(store) - guest
    run[.storageBytesRead] = zip(now, storage).reduce(0) { $0 + $1.0.bytes - $1.1.bytes }
    run[.storageReads] = zip(now, storage).reduce(0) { $0 + $1.0.reads - $1.1.reads }
  }

  /// Processors that other programs took on average. The host's clock ticks and the processes' do not agree
  /// to the tick, so it may be a little below 0.
  ///
  /// - Parameters:
  ///   - host: what all took, in seconds.
  ///   - ours: what each of the programs took that belong to the measurement.
  ///   - seconds: the time in which they did.
  static func otherPrograms(host: Double, ours: [Double], in seconds: Double) -> Double {
    (host - ours.reduce(0, +)) / seconds
  }

  private static func guestSeconds(_ store: StoreConsole) throws(LabError) -> Double {
    guard let busy = try store.ask("usage")["busy_ms"].flatMap({ Double($0) }) else {
      throw LabError("the guest does not say how long its processors were busy")
    }
    return busy / 1000
  }
}
