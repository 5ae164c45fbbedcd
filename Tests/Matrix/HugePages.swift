import Foundation
import MigrationLab
import Synchronization

/// Huge pages of 2 MiB that the kernel keeps for the rows that need them, from the first of these to
/// the program's end.
enum HugePages {
  private static let total = "/proc/sys/vm/nr_hugepages"
  private static let free = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
  private static let size = 2 << 20

  /// How many there were; nil while nothing was changed.
  private static let before = Mutex<Int?>(nil)

  /// Why a row with this layout cannot be run; nil where it can, or where it needs none.
  static func shortage(for layout: GuestLayout) -> String? {
    guard layout.hugePages else { return nil }
    let needed = 2 * layout.blocks.reduce(0) { $0 + $1.size } / size
    // The guests of the row before may not be gone yet.
    for _ in 0..<50 where read(free) < needed {
      reserve(needed)
      usleep(100_000)
    }
    let there = read(free)
    guard there < needed else { return nil }
    return "not run: the kernel keeps \(there) free huge pages, and the two guests need \(needed)"
  }

  private static func reserve(_ count: Int) {
    before.withLock { before in
      guard before == nil else { return }
      let now = read(total)
      before = now
      atexit { HugePages.giveBack() }
      try? "\(now + count)".write(toFile: total, atomically: false, encoding: .utf8)
    }
  }

  private static func giveBack() {
    guard let number = before.withLock({ $0 }) else { return }
    try? "\(number)".write(toFile: total, atomically: false, encoding: .utf8)
  }

  private static func read(_ path: String) -> Int {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
  }
}
