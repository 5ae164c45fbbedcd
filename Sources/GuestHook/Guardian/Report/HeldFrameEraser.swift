import Glibc
import HookLink

/// Fills held frames with zeroes in place, for streams that cannot be edited: QEMU then sends them as
/// zero pages by itself.
enum HeldFrameEraser {
  private static let chunk = 1 << 20

  /// - Throws: ``SystemError`` where the process is gone.
  static func erase(
    _ pieces: [LocalMessage.AddressRange], of pid: pid_t
  ) throws(SystemError) {
    let memory = try Descriptor(opening: "/proc/\(pid)/mem", O_RDWR)
    let zeroes = [UInt8](repeating: 0, count: chunk)
    for piece in pieces {
      var done: UInt64 = 0
      while done < piece.length {
        let count = min(chunk, Int(clamping: piece.length - done))
        guard let offset = off_t(exactly: piece.address + done) else {
          throw SystemError("erase held frames", code: EINVAL)
        }
        // `count` bytes of the array, which is alive during the call.
        let written = unsafe pwrite(memory.number, zeroes, count, offset)
        guard written > 0 else { throw SystemError("erase held frames") }
        done += UInt64(written)
      }
    }
  }
}
