import EvaluationReport
import FoundationEssentials
import Lab
import StreamProxy

/// A booted guest whose database is open, kept in a file with its disk, so that every run begins with
/// the very same guest, and none has to boot and to fill a cache under emulation.
final class GuestSnapshot {
  /// In what guests differ before anybody migrates them.
  struct Variant: Hashable {
    /// Of the guest's memory, in per cent.
    var cacheShare: Int
    var isWarm = true
    var balloon = Balloon.plain
    var refaults = true

    /// The guest that a method needs.
    init(_ method: Method, cacheShare: Int) {
      self.cacheShare = cacheShare
      isWarm = method != .ideal
      refaults = method != .leafcutterNoRefault
      balloon =
        switch method {
        case .freePageHint: .freePageHint
        case .freePageReporting: .freePageReporting
        default: .plain
        }
    }

    var name: String {
      "\(cacheShare)-\(isWarm ? "warm" : "cold")-\(balloon.rawValue)\(refaults ? "" : "-no-refault")"
    }
  }

  private let bench: Bench
  private let variant: Variant
  /// Of the database's cache, in MiB.
  let cache: Int
  private let state: String
  private let disk: GuestImage

  /// Boots the guest, has it read its whole database where it is to be warm, and saves it.
  init(_ variant: Variant, on bench: Bench) throws(LabError) {
    self.bench = bench
    self.variant = variant
    let contents = bench.contents(filling: variant.cacheShare)
    cache = bench.cache(filling: variant.cacheShare)
    state = "\(bench.files.scratch)/\(variant.name).state"
    let image = try bench.image(contents)
    bench.say(
      "booting a guest: \(variant.name), \(contents.documents) documents, \(cache) MiB of cache")
    disk = try image.copy(to: "\(bench.files.scratch)/\(variant.name).img", files: bench.files)
    let machine: VirtualMachine
    do throws(LabError) {
      machine = try VirtualMachine(
        "boot-\(variant.name)", options(disk), host: nil, files: bench.files)
    } catch {
      remove()
      throw error
    }
    defer { machine.kill() }
    do throws(LabError) {
      let store = try StoreConsole(machine)
      _ = try store.waitForBeat(timeout: 120)
      if variant.isWarm { try store.ask("warm", timeout: 600) }
      try machine.save(to: state)
    } catch {
      remove()
      throw error.adding(machine.logs)
    }
  }

  /// Starts it once more, on a disk of its own.
  ///
  /// - Parameter storage: nil where it is not limited.
  func restore(
    _ name: String, on disk: GuestImage, host: String, storage: StorageLimit?
  ) throws(LabError) -> VirtualMachine {
    var options = options(disk)
    options.storage = storage
    options.preallocates = false
    let machine = try VirtualMachine(
      name, options, host: host, waitsForMigration: true, files: bench.files)
    do throws(LabError) {
      try machine.restore(from: state)
      return machine
    } catch {
      machine.kill()
      throw error
    }
  }

  /// A destination for it.
  func destination(
    _ name: String, on disk: GuestImage, host: String, storage: StorageLimit?
  ) throws(LabError) -> VirtualMachine {
    var options = options(disk)
    options.storage = storage
    return try VirtualMachine(
      name, options, host: host, waitsForMigration: true, files: bench.files)
  }

  func copyDisk() throws(LabError) -> GuestImage {
    try disk.copy(to: "\(bench.files.scratch)/run.img", files: bench.files)
  }

  func remove() {
    disk.remove()
    try? FileManager.default.removeItem(atPath: state)
  }

  private func options(_ disk: GuestImage) -> MachineOptions {
    bench.machine(
      disk, cache: cache, balloon: variant.balloon,
      guardian: variant.refaults ? [] : ["--no-refault"])
  }
}
