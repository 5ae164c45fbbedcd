import CBenchSystem
import Glibc
import HookLink

/// The guest whose memory crosses: `pages` pages that are sent once, after the first 2 MiB, in which
/// the mark page and the probe page lie, and before 2 MiB that are reported and never sent.
///
/// It is as large as what is sent of it, like a guest's, so that a source reads memory and no cache. Its machine
/// is RISC-V's `virt`, whose memory lies in one piece however large it is.
@safe
final class GuestMemory: @unchecked Sendable {
  // Filled once; afterwards only the two special pages are written, by the one thread that sends them.
  static let pageSize = 4096
  static let block = "riscv_virt_board.ram"
  /// Where the machine has it, guest-physical (QEMU, `hw/riscv/virt.c`).
  static let start: UInt64 = 0x8000_0000
  static let markPage = 256
  static let probePage = 257
  /// The first that is sent as ordinary content.
  static let first = 512
  /// Pages in one piece of a report are a multiple of this.
  static let reportGranule = 512

  let pages: Int
  private let memory: UnsafeMutableRawPointer

  /// - Parameter pages: a multiple of ``reportGranule``.
  init(pages: Int) throws {
    precondition(pages % GuestMemory.reportGranule == 0)
    self.pages = pages
    let size = (GuestMemory.first + pages + GuestMemory.reportGranule) * GuestMemory.pageSize
    guard let memory = unsafe bench_map_memory(size) else {
      throw BenchError(
        "\(size >> 20) MiB of memory for the guest cannot be had; use a smaller --megabytes")
    }
    unsafe self.memory = memory
    for page in 0..<size / GuestMemory.pageSize {
      let words = unsafe self.page(page).assumingMemoryBound(to: UInt64.self)
      for word in 0..<GuestMemory.pageSize / 8 {
        // Inside the page.
        unsafe words[word] = GuestMemory.firstWord(of: page) &+ UInt64(word)
      }
    }
  }

  deinit { unsafe munmap(memory, size) }

  /// In bytes.
  var size: Int {
    (GuestMemory.first + pages + GuestMemory.reportGranule) * GuestMemory.pageSize
  }

  var sent: Range<Int> { GuestMemory.first..<GuestMemory.first + pages }

  /// By it a destination sees that the page is the one that the record names.
  static func firstWord(of page: Int) -> UInt64 { 0x6c65_6166_0000_0000 | UInt64(page) }

  func page(_ number: Int) -> UnsafeMutableRawPointer {
    // Callers stay below `size`.
    unsafe memory + number * GuestMemory.pageSize
  }

  func write(_ bytes: [UInt8], to number: Int) {
    precondition(bytes.count == GuestMemory.pageSize)
    // One page to one page.
    unsafe page(number).copyMemory(from: bytes, byteCount: bytes.count)
  }

  static func guestPhysicalAddress(of page: Int) -> UInt64 {
    start + UInt64(page * pageSize)
  }

  /// The pages that are dead by a pattern, and one that is never sent: where nothing is dropped the
  /// proxy has a report all the same, and looks at every record. In as many pieces as messages take.
  func report(_ dead: DeadPattern) -> [HeldPages] {
    let all = GuestMemory.first..<sent.upperBound + GuestMemory.reportGranule
    return stride(from: all.lowerBound, to: all.upperBound, by: 8 * HeldPages.maximumBitmap).map {
      first in
      let pages = first..<min(first + 8 * HeldPages.maximumBitmap, all.upperBound)
      var bitmap = [UInt8](repeating: 0, count: pages.count / 8)
      for page in pages where sent.contains(page) ? dead.isDead(page) : page == sent.upperBound {
        bitmap[(page - first) / 8] |= 1 << UInt8((page - first) % 8)
      }
      let address = GuestMemory.guestPhysicalAddress(of: first)
      return HeldPages(firstPage: address / UInt64(GuestMemory.pageSize), bitmap: bitmap)
    }
  }

  /// What HMP's `info ramblock` says of this guest (its form is QEMU 10.0's).
  var ramBlocks: String {
    let used = hexadecimal(UInt64(size))
    return """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
      \(GuestMemory.block)    4 KiB  0x0000000000000000 0x\(used) 0x\(used) 0x00007f40bfe00000  rw
      """
  }

  /// What HMP's `info mtree -f` says of this guest (QEMU 10.0).
  var flatViews: String {
    let end = GuestMemory.start + UInt64(size) - 1
    return """
      FlatView #0
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000001000-000000000000ffff (prio 0, rom): riscv_virt_board.mrom
        0000000010000000-0000000010000007 (prio 0, i/o): serial
        \(hexadecimal(GuestMemory.start))-\(hexadecimal(end)) (prio 0, ram): \(GuestMemory.block)

      """
  }

  private func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// What keeps a measurement from being taken, in one sentence.
struct BenchError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
