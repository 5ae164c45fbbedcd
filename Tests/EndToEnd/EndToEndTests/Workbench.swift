import FoundationEssentials
import Lab
import StreamProxy

/// What every test here needs: the programs and the guest that `make build` has built, and a small
/// database.
struct Workbench {
  let files: LabFiles
  let image: GuestImage
  /// In the database.
  let documents: Int

  /// The checkout.
  static let root: String = {
    var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    parts.removeLast(4)
    return parts.joined(separator: "/")
  }()
  static let state =
    ProcessInfo.processInfo.environment["LEAFCUTTER_STATE"] ?? "\(root)/.lab"
  static let leafcutter = "\(root)/.build/release/leafcutter"
  static let store = "\(root)/.build-packages/release/leafcutter-store"

  static let memory = 768
  static let cache = 256
  static let operationsPerSecond = 200
  /// Bytes per second at which a migration lasts long enough to be disturbed.
  static let slowly: UInt64 = 25_000_000

  /// - Parameter documents: by itself few enough to be read, evicted, read back and verified in a few seconds
  ///   under emulation.
  init(documents: Int = 70_000) throws {
    self.documents = documents
    for path in [Workbench.leafcutter, Workbench.store, "\(Workbench.state)/guest/initramfs.img"]
    where !FileManager.default.fileExists(atPath: path) {
      throw LabError("\(path) is not there; `make build` builds it")
    }
    files = try LabFiles(state: Workbench.state, keepsLogs: false)
    let original = try GuestImage.prepared(
      .init(documents: documents), store: Workbench.store, state: Workbench.state,
      files: files
    ) { _ in }
    image = try original.copy(to: "\(files.scratch)/shared.img", files: files)
  }

  /// Ends and removes everything that is left.
  func tidy() {
    image.remove()
    Cleanup.run()
  }

  func machine(options: [String] = [], plugged: Int = 0, guest: String = "guest") -> MachineOptions
  {
    var machine = MachineOptions(
      kernel: "\(Workbench.state)/\(guest)/vmlinux",
      initramfs: "\(Workbench.state)/\(guest)/initramfs.img", image: image)
    machine.memory = Workbench.memory - plugged
    machine.pluggedMemory = plugged
    machine.kernelOptions = ["leafcutter.cache=\(Workbench.cache)"] + options
    return machine
  }

  /// A guest with the store in it; the destination of a migration where `waits` is set.
  ///
  /// - Parameters:
  ///   - plugged: MiB of its memory that come from a virtio-mem device.
  ///   - guest: the directory of its kernel and initramfs.
  func boot(
    _ name: String, waits: Bool = false, options: [String] = [], plugged: Int = 0,
    guest: String = "guest"
  ) throws -> Guest {
    let virtual = try VirtualMachine(
      name, machine(options: options, plugged: plugged, guest: guest), host: nil,
      waitsForMigration: waits, files: files)
    return Guest(machine: virtual, store: try StoreConsole(virtual))
  }

  /// A source guest, warm and serving.
  func bootServing(
    _ name: String, options: [String] = [], plugged: Int = 0, guest: String = "guest"
  ) throws -> Guest {
    let guest = try bootWarm(name, options: options, plugged: plugged, guest: guest)
    try serve(guest)
    return guest
  }

  /// The same, as another test has had it, where one has.
  func restoreServing(_ name: String, options: [String] = []) throws -> Guest {
    let saved = try ServingGuests.saved(options: options, bench: self) {
      try bootWarm("first-\(name)", options: options)
    }
    _ = try saved.disk.copy(to: image.path, files: files)
    let guest = try boot(name, waits: true, options: options)
    try guest.machine.restore(from: saved.memory)
    _ = try guest.store.waitForBeat(timeout: 30)
    try serve(guest)
    return Guest(machine: guest.machine, store: guest.store, saidAtBoot: saved.console)
  }

  private func bootWarm(
    _ name: String, options: [String] = [], plugged: Int = 0, guest: String = "guest"
  ) throws -> Guest {
    let guest = try boot(name, options: options, plugged: plugged, guest: guest)
    _ = try guest.store.waitForBeat(timeout: 120)
    try guest.store.ask("warm", timeout: 300)
    return guest
  }

  private func serve(_ guest: Guest) throws {
    try guest.store.ask("run mix=B rate=\(Workbench.operationsPerSecond) threads=2 seed=1")
  }

  /// Where the destination of the given name listens.
  func address(of name: String) -> String { "unix:\(files.sockets)/\(name)-in" }

  func proxy(from source: Guest, to destination: String) throws -> ProxyProcess {
    try ProxyProcess(
      program: Workbench.leafcutter, source: source.machine, destination: destination, edits: true,
      host: nil, files: files)
  }
}

/// A virtual machine and the store that serves in it.
struct Guest {
  let machine: VirtualMachine
  let store: StoreConsole
  /// What the console said before the guest was saved, where it has been.
  var saidAtBoot = ""

  /// Everything that the console has said.
  var console: String { saidAtBoot + machine.console }

  /// Operations that the store did in the last second that it has reported.
  func operationsInLastSecond() -> Int {
    store.slots.suffix(10).reduce(0) { $0 + $1.operations }
  }

  /// Stops the workload and has every document read and checked, and WiredTiger verify its files.
  func verifyEverything() throws -> (documents: Int, bad: Int, tablesFailed: Int) {
    do throws(LabError) {
      try store.ask("halt", timeout: 60)
      let verified = try store.ask("verify", timeout: 600)
      let closed = try store.ask("close", timeout: 300)
      return (
        verified["documents"].flatMap { Int($0) } ?? -1, verified["bad"].flatMap { Int($0) } ?? -1,
        closed["failed"].flatMap { Int($0) } ?? -1
      )
    } catch {
      throw LabError("\(error.sentence); \(machine.lastWords)")
    }
  }
}

/// Asks `condition` every 20 ms; false when it did not hold within `seconds`.
func eventually(within seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
  let start = HostClock.now
  while true {
    if try condition() { return true }
    guard HostClock.seconds(from: start, to: HostClock.now) < seconds else { return false }
    HostClock.sleep(0.02)
  }
}
