import Foundation
import MigrationLab

/// Huge pages of 2 MiB that the kernel keeps for a while.
final class HugePages {
  private static let file = "/proc/sys/vm/nr_hugepages"
  private let before: Int

  /// Reserves what two guests of this layout need; nil where it needs none.
  init?(for layout: GuestLayout) throws {
    guard layout.hugePages else { return nil }
    before = try HugePages.count()
    let needed = 2 * layout.blocks.reduce(0) { $0 + $1.size } / (2 << 20)
    try? "\(before + needed)".write(toFile: HugePages.file, atomically: false, encoding: .utf8)
    let got = try HugePages.count() - before
    guard got >= needed else {
      giveBack()
      throw LabError("the kernel reserves \(got) of the \(needed) huge pages that this needs")
    }
  }

  func giveBack() {
    try? "\(before)".write(toFile: HugePages.file, atomically: false, encoding: .utf8)
  }

  private static func count() throws -> Int {
    let text = try String(contentsOfFile: file, encoding: .utf8)
    return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
  }
}
