import FoundationEssentials
import Lab

/// What all rounds have in common: the programs, the files, the image with its documents.
struct Bench {
  let files: LabFiles
  let image: GuestImage
  /// The copy that all guests of this run use, one after the other.
  let disk: GuestImage
  let guestDirectory: String
  let proxyProgram: String

  /// Small enough to boot and verify in a few seconds under emulation.
  static let documents = 100_000
  /// MiB.
  static let memory = 768
  static let cache = 256
  static let operationsPerSecond = 200
  /// Bytes per second that QEMU may send: a migration takes some seconds, in which a fault can strike.
  static let bandwidth: UInt64 = 80_000_000
  /// Seconds after which a round that has come to no end is a hang.
  static let patience = 120.0

  /// A guest that serves, on a disk as it was in the beginning.
  func bootGuest(_ name: String) throws(LabError) -> Guest {
    _ = try image.copy(to: disk.path, files: files)
    let guest = try boot(name)
    try guest.waitUntilItServes(timeout: 120)
    return guest
  }

  func boot(_ name: String, waits: Bool = false) throws(LabError) -> Guest {
    var options = MachineOptions(
      kernel: "\(guestDirectory)/vmlinux", initramfs: "\(guestDirectory)/initramfs.img",
      image: disk)
    options.memory = Bench.memory
    options.kernelOptions = ["leafcutter.cache=\(Bench.cache)", "leafcutter.torture=on"]
    let machine = try VirtualMachine(
      name, options, host: nil, waitsForMigration: waits, files: files)
    return Guest(machine: machine, store: try StoreConsole(machine))
  }

  func incomingAddress(of name: String) -> String { "unix:\(files.sockets)/\(name)-in" }
}
