import Glibc
import HookLink

/// A database's memory: in which frames it is, and what is written into those that are held. They lie in its hold
/// area, which nobody there touches.
///
/// The files are those of the address space that the process had when they were opened. When it has ended, or runs
/// another program, they give nothing and take nothing.
struct HeldMemoryFile {
  private static let chunk = 1 << 20

  private let memory: Descriptor
  let pagemap: Descriptor

  /// - Parameter process: becomes readable when the process ends (a pidfd).
  /// - Throws: ``SystemError`` where the process is gone.
  init(of pid: pid_t, _ process: Descriptor) throws(SystemError) {
    memory = try Descriptor(opening: "/proc/\(pid)/mem", O_RDWR)
    pagemap = try Descriptor(opening: "/proc/\(pid)/pagemap")
    // The number may be another process's by now.
    guard !process.isReady() else { throw SystemError("open a database's memory", code: ESRCH) }
  }

  /// Fills pieces with zeroes in place, for streams that cannot be edited: QEMU then sends them as
  /// zero pages by itself. How many pages that were.
  ///
  /// - Throws: ``SystemError`` where the process is gone.
  func erase(_ pieces: [LocalMessage.AddressRange]) throws(SystemError) -> UInt64 {
    let zeroes = [UInt8](repeating: 0, count: HeldMemoryFile.chunk)
    var erased: UInt64 = 0
    for piece in pieces {
      var done: UInt64 = 0
      while done < piece.length {
        let count = min(zeroes.count, Int(clamping: piece.length - done))
        done += UInt64(try write(zeroes[..<count], at: piece.address &+ done))
      }
      erased += piece.length / HeldPages.pageSize
    }
    return erased
  }

  /// Makes a held page a probe; false where the page is not in its frame, held, before and afterwards.
  ///
  /// - Throws: ``SystemError`` where the process is gone.
  func writeProbe(
    at place: ProbeCandidates.Place, for migration: MigrationID
  ) throws(SystemError) -> Bool {
    let content = ProbePage.content(for: migration, at: place.frame * HeldPages.pageSize)
    guard try isHeld(place) else { return false }
    guard try write(content[...], at: place.address) == content.count else { return false }
    return try isHeld(place)
  }

  private func isHeld(_ place: ProbeCandidates.Place) throws(SystemError) -> Bool {
    var entry: UInt64 = 0
    // One entry of eight bytes.
    let count = unsafe pread(pagemap.number, &entry, 8, off_t(place.address / 4096 * 8))
    guard count == 8 else {
      throw SystemError("read a database's pagemap", code: count < 0 ? errno : ESRCH)
    }
    return PagemapEntry.isHeld(entry) && PagemapEntry(entry).frame == place.frame
  }

  /// How many bytes were written, at least one.
  private func write(_ bytes: ArraySlice<UInt8>, at address: UInt64) throws(SystemError) -> Int {
    guard let offset = off_t(exactly: address) else {
      throw SystemError("write to held frames", code: EINVAL)
    }
    // The slice is alive during the call.
    let written = unsafe bytes.withUnsafeBytes {
      unsafe pwrite(memory.number, $0.baseAddress, $0.count, offset)
    }
    guard written > 0 else {
      throw SystemError("write to held frames", code: written < 0 ? errno : ESRCH)
    }
    return written
  }
}
