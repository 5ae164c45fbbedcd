import Glibc

/// A guest's memory, seen from outside through the file behind it.
@safe
final class GuestMemoryFile: @unchecked Sendable {
  static let pageSize = 4096

  let path: String
  // Mapped shared for the object's whole life; the guest writes it too, so values may be in motion.
  private let bytes: UnsafeMutableRawBufferPointer

  init(path: String, size: Int) {
    self.path = path
    // The path is a string for the duration of the call.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    precondition(descriptor >= 0 && ftruncate(descriptor, size) == 0, "no memory file at \(path)")
    // A new shared mapping of the file that was just sized.
    let start = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    precondition(unsafe start != MAP_FAILED)
    unsafe bytes = UnsafeMutableRawBufferPointer(start: start, count: size)
    close(descriptor)
  }

  deinit {
    unsafe munmap(bytes.baseAddress, bytes.count)
    _ = unsafe unlink(path)
  }

  func word<Word: FixedWidthInteger & BitwiseCopyable>(_ type: Word.Type, at offset: Int) -> Word {
    // The buffer checks the bounds (debug builds) and any bits are an integer.
    unsafe bytes.loadUnaligned(fromByteOffset: offset, as: type)
  }

  func write(_ values: [UInt8], at offset: Int) {
    for (index, value) in values.enumerated() { unsafe bytes[offset + index] = value }
  }

  func zero(_ range: Range<Int>) {
    // Slicing checks the bounds, and any bytes are a page.
    let part = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[range])
    _ = unsafe part.initializeMemory(as: UInt8.self, repeating: 0)
  }

  func page(at offset: Int) -> [UInt8] {
    unsafe Array(bytes[offset..<offset + GuestMemoryFile.pageSize])
  }

  /// The pages of `range` that differ from the other guest's.
  func differences(from other: GuestMemoryFile, in range: Range<Int>) -> [Int] {
    stride(from: range.lowerBound, to: range.upperBound, by: GuestMemoryFile.pageSize).filter {
      // Both mappings are as large as the range's end.
      unsafe memcmp(
        bytes.baseAddress! + $0, other.bytes.baseAddress! + $0, GuestMemoryFile.pageSize) != 0
    }
  }

  /// How many pages of `range` hold nothing but zeroes.
  func zeroPages(in range: Range<Int>) -> Int {
    let zeroes = [UInt8](repeating: 0, count: GuestMemoryFile.pageSize)
    return stride(from: range.lowerBound, to: range.upperBound, by: GuestMemoryFile.pageSize)
      .count { offset in
        unsafe zeroes.withUnsafeBytes {
          unsafe memcmp(bytes.baseAddress! + offset, $0.baseAddress!, $0.count) == 0
        }
      }
  }
}
