import FoundationEssentials
import Glibc
import Lab
import Synchronization

/// Warm guests, each booted and saved when the first test asks for it: under emulation that takes far longer than
/// the migration that most tests are about.
enum ServingGuests {
  struct Saved: Sendable {
    let memory: String
    let disk: GuestImage
    /// What its console said up to then.
    let console: String
  }

  private struct Kind: Hashable {
    var documents: Int
    var options: [String]
  }

  private static let saved = Mutex([Kind: Saved]())
  /// The process's number in front, so that another laboratory removes what a killed one left.
  private static let directory = "\(Workbench.state)/scratch/\(getpid())-serving"

  /// - Parameters:
  ///   - options: added to the kernel's command line.
  ///   - boot: gives a warm guest on the disk of the bench.
  static func saved(
    options: [String], bench: Workbench, boot: () throws -> Guest
  ) throws -> Saved {
    let kind = Kind(documents: bench.documents, options: options)
    return try saved.withLock { all in
      if let known = all[kind] { return known }
      if all.isEmpty {
        try FileManager.default.createDirectory(
          atPath: directory, withIntermediateDirectories: true)
        atexit { try? FileManager.default.removeItem(atPath: ServingGuests.directory) }
      }
      let path = "\(directory)/\(all.count)"
      let guest = try boot()
      defer { guest.machine.kill() }
      try guest.machine.save(to: "\(path).memory")
      guest.machine.kill()
      let new = Saved(
        memory: "\(path).memory",
        disk: try bench.image.copy(to: "\(path).img", files: bench.files),
        console: guest.machine.console)
      all[kind] = new
      return new
    }
  }
}
