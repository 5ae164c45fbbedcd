import Glibc
import HookLink

/// Finds out which frames a database's pinned pieces occupy.
@safe struct PagemapReader: ~Copyable {
  /// Entries read by one call: 1 MiB of them, for 512 MiB of memory.
  private static let entriesPerRead = 128 * 1024
  /// Legacy memory below 1 MiB is never reported.
  private static let firstReportable: UInt64 = 256

  private let file: Descriptor
  private let buffer: UnsafeMutableBufferPointer<UInt64>
  /// Pages in the pieces that are not held as they must be, and so are not reported.
  private(set) var refused: UInt64 = 0
  /// Held pages that lie in no segment of the memory that the host knows, and so are not reported.
  private(set) var unknown: UInt64 = 0

  init(_ memory: HeldMemoryFile) {
    file = memory.pagemap
    unsafe buffer = .allocate(capacity: PagemapReader.entriesPerRead)
  }

  deinit { unsafe buffer.deallocate() }

  /// Adds the held pages of one piece.
  ///
  /// - Parameter database: the index by which `candidates` know whose it is.
  /// - Throws: ``SystemError`` where the kernel does not tell.
  mutating func read(
    _ piece: LocalMessage.AddressRange, of database: Int, into frames: inout FrameSet,
    _ candidates: inout ProbeCandidates
  ) throws(SystemError) {
    // The other end is not trusted: user space ends at 2^56 at the latest, and entries are read
    // rather than computed, so a lie costs only reading.
    let (end, overflow) = piece.address.addingReportingOverflow(piece.length)
    guard !overflow, end <= 1 << 56, piece.address % 4096 == 0, piece.length % 4096 == 0 else {
      throw SystemError("read the pages of a piece that is no stretch of memory", code: EINVAL)
    }
    var page = piece.address / 4096
    let last = end / 4096
    while page < last {
      let wanted = min(Int(last - page), PagemapReader.entriesPerRead)
      // The kernel writes at most `wanted` entries into the buffer, and only those are looked at.
      let bytes = unsafe pread(file.number, buffer.baseAddress, wanted * 8, off_t(page * 8))
      guard bytes >= 8 else {
        throw SystemError("read a database's pagemap", code: bytes < 0 ? errno : ESRCH)
      }
      let count = bytes / 8
      for index in 0..<count {
        let word = unsafe buffer[index]
        let frame = PagemapEntry(word).frame
        guard PagemapEntry.isHeld(word), frame >= PagemapReader.firstReportable else {
          refused += 1
          continue
        }
        let address = (page + UInt64(index)) * 4096
        if candidates.add(.init(frame: frame, address: address, database: database)) {
          frames.insert(frame)
        } else {
          unknown += 1
        }
      }
      page += UInt64(count)
    }
  }
}
