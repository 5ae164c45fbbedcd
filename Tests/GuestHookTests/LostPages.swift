import CGuestSystem
import Glibc
import HookLink

@testable import Guardian
@testable import StreamProxy

/// What would be lost if the guest stopped now: what a proxy that has dropped every reported page makes
/// of the mark page, and which of those pages nobody holds any more.
struct LostPages {
  /// KPF_ANON (Documentation/admin-guide/mm/pagemap.rst).
  private static let anonymous: UInt64 = 1 << 12
  /// The kernel unpins in the background. Tries, with this many milliseconds between them.
  private static let tries = (count: 60, pause: 50)

  let migration: MigrationID
  /// Frames that the proxy has dropped.
  let dropped: Set<UInt64>

  /// Of the pages that were dropped, those that nobody holds any more and that the proxy takes for held.
  ///
  /// - Parameters:
  ///   - last: the last copy of the mark page that has passed: in pre-copy the page as it is now.
  ///   - database: still has what is mapped in it.
  func lost(last copy: SharedPage, besides database: FakeDatabase? = nil) -> Int {
    isProven(copy) ? free(among: dropped.subtracting(database?.frames() ?? [])) : 0
  }

  /// The proxy's own judgement of the copy.
  func isProven(_ copy: SharedPage) -> Bool {
    let bytes = stride(from: 0, to: MarkPage.size, by: 8).flatMap { offset in
      let word = copy.load(at: offset)
      return (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
    }
    let marks = MarkLedger()
    marks.passed(bytes, on: 0, after: 0, running: 0, earlier: false)
    do throws(ProofFailure) {
      try marks.judge(of: migration, running: 0, bound: .seconds(10))
      return true
    } catch {
      return false
    }
  }

  /// Frames of the hold that the kernel has back, or has given to somebody: a frame that is only held
  /// is anonymous memory that nobody maps.
  private func free(among frames: Set<UInt64>) -> Int {
    guard let flags = try? Descriptor(opening: "/proc/kpageflags"),
      let counts = try? Descriptor(opening: "/proc/kpagecount")
    else { return 0 }
    for _ in 0..<LostPages.tries.count {
      let count = frames.count { frame in
        LostPages.word(frame, of: flags) & LostPages.anonymous == 0
          || LostPages.word(frame, of: counts) > 0
      }
      if count > 0 { return count }
      usleep(UInt32(LostPages.tries.pause * 1000))
    }
    return 0
  }

  /// A frame's word in one of the kernel's files with eight bytes for each.
  private static func word(_ frame: UInt64, of file: Descriptor) -> UInt64 {
    var word: UInt64 = 0
    // One entry of eight bytes.
    guard unsafe pread(file.number, &word, 8, off_t(frame * 8)) == 8 else { return 0 }
    return word
  }

  /// The frames behind pages of this process.
  static func frames(of pages: Range<UInt64>) -> Set<UInt64> {
    Set(entries(of: pages).map(\.frame))
  }

  /// How many of this process's pages are there.
  static func present(_ pages: Range<UInt64>) -> Int { entries(of: pages).count { $0.frame != 0 } }

  private static func entries(of pages: Range<UInt64>) -> [PagemapEntry] {
    guard let file = try? Descriptor(opening: "/proc/self/pagemap") else { return [] }
    var words = [UInt64](repeating: 0, count: pages.count)
    // As many entries of eight bytes as the array has.
    guard
      unsafe pread(file.number, &words, words.count * 8, off_t(pages.lowerBound * 8))
        == words.count * 8
    else { return [] }
    return words.map { PagemapEntry($0) }
  }
}
