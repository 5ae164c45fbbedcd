import Glibc
import MigrationLab

/// The file system that holds the guests' memory.
enum SharedMemory {
  /// Why a row with this layout cannot be run; nil where it can.
  static func shortage(for layout: GuestLayout) -> String? {
    var information = statvfs()
    // Filled in by the call; the path is a string for its duration.
    guard unsafe statvfs("/dev/shm", &information) == 0 else { return nil }
    let free = Int(information.f_bavail) * Int(information.f_frsize)
    let needed = 2 * layout.blocks.reduce(0) { $0 + $1.size }
    guard free < needed else { return nil }
    return "not run: /dev/shm has \(free >> 20) MiB free, and the two guests need \(needed >> 20)"
  }
}
