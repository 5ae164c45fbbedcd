import CBenchSystem
import Glibc
import HookLink

/// The guest whose memory crosses: `pages` pages that are sent once, after the first 2 MiB, in which
/// the mark page and the probe page lie, and before 2 MiB that are reported and never sent.
///
/// It is as large as what is sent of it, like a guest's, so that a source reads memory and no cache.
@safe
final class GuestMemory: @unchecked Sendable {
  // Filled once; afterwards only the two special pages are written, by the one thread that sends them.
  static let pageSize = 4096
  static let block = "pc.ram"
  static let markPage = 256
  static let probePage = 257
  /// The first that is sent as ordinary content.
  static let first = 512
  /// In one piece of a report.
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

  /// The pages that are dead by a pattern, and one that is never sent: where nothing is dropped the
  /// proxy has a report all the same, and looks at every record.
  func report(_ dead: DeadPattern) -> HeldPages {
    var bitmap = [UInt8](repeating: 0, count: (pages + GuestMemory.reportGranule) / 8)
    func mark(_ page: Int) {
      let bit = page - GuestMemory.first
      bitmap[bit / 8] |= 1 << UInt8(bit % 8)
    }
    for page in sent where dead.isDead(page) { mark(page) }
    mark(sent.upperBound)
    return HeldPages(firstPage: UInt64(GuestMemory.first), bitmap: bitmap)
  }

  /// What HMP's `info ramblock` says of this guest (its form is QEMU 10.0's).
  var ramBlocks: String {
    let hex = paddedHexadecimal(size)
    return """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x\(hex) 0x\(hex) 0x00007f40bfe00000  rw
      """
  }

  /// What HMP's `info mtree -f` says of this guest, an i440FX with less than 3 GiB (QEMU 10.0).
  var flatViews: String {
    """
    FlatView #0
     AS "memory", root: system
     AS "cpu-memory-0", root: system
     Root memory region: system
      0000000000000000-000000000009ffff (prio 0, ram): pc.ram
      00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
      00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
      00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
      0000000000100000-\(paddedHexadecimal(size - 1)) (prio 0, ram): pc.ram @0000000000100000

    """
  }

  private func paddedHexadecimal(_ value: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// What keeps a measurement from being taken, in one sentence.
struct BenchError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
