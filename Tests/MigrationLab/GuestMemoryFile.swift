import Glibc

/// A guest's memory, or a part of it, seen from outside through the file behind it.
@safe
public final class GuestMemoryFile: @unchecked Sendable {
  public static let pageSize = 4096

  /// Where another process opens it while this object lives; nil for a file that only QEMU has open.
  let path: String?
  public let size: Int
  // Mapped shared for the object's whole life; the guest writes it too, so values may be in motion.
  private let bytes: UnsafeMutableRawBufferPointer
  /// Open for the object's whole life where others open it by ``path``, or -1.
  private let descriptor: Int32

  /// A new file in shared memory, without any page yet, and without a name: nothing is left behind,
  /// whatever becomes of the program.
  init(named name: String, size: Int) throws {
    let path = "/dev/shm/leafcutter-test-\(getpid())-\(UInt32.random(in: 0 ..< .max))-\(name)"
    // The path is a string for the duration of the calls, and random, so it is nobody else's.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0, unsafe unlink(path) == 0, ftruncate(descriptor, size) == 0 else {
      throw LabError("no file of \(size) bytes can be made at \(path)")
    }
    unsafe bytes = try GuestMemoryFile.map(descriptor, size)
    (self.path, self.size) = ("/proc/\(getpid())/fd/\(descriptor)", size)
    self.descriptor = descriptor
  }

  /// A file that another guest has, too.
  init(sharing other: GuestMemoryFile) throws {
    guard let path = other.path else {
      throw LabError("a memory file that only QEMU has open is not shared")
    }
    let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
    unsafe bytes = try GuestMemoryFile.map(descriptor, other.size)
    (self.path, self.size) = ("/proc/\(getpid())/fd/\(descriptor)", other.size)
    self.descriptor = descriptor
  }

  /// The memory that a QEMU made itself (memory-backend-memfd): the first such file it has open.
  init(anonymousOf process: pid_t, size: Int) throws {
    var found: Int32 = -1
    for number in 0..<256 where found < 0 {
      let link = "/proc/\(process)/fd/\(number)"
      var target = [CChar](repeating: 0, count: 64)
      // The buffer is one longer than what may be written, so the text ends.
      guard unsafe readlink(link, &target, target.count - 1) > 0,
        String(decoding: target.map(UInt8.init(bitPattern:)), as: UTF8.self).hasPrefix("/memfd:")
      else { continue }
      found = unsafe open(link, O_RDWR | O_CLOEXEC)
    }
    defer { if found >= 0 { close(found) } }
    unsafe bytes = try GuestMemoryFile.map(found, size)
    (self.path, self.size, descriptor) = (nil, size, -1)
  }

  private static func map(
    _ descriptor: Int32, _ size: Int
  ) throws -> UnsafeMutableRawBufferPointer {
    guard descriptor >= 0 else { throw LabError("the file behind a guest's memory is not there") }
    // A new shared mapping of a file of this size.
    let start = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard unsafe start != MAP_FAILED else {
      throw LabError("the file behind a guest's memory cannot be mapped (errno \(errno))")
    }
    return unsafe UnsafeMutableRawBufferPointer(start: start, count: size)
  }

  deinit {
    unsafe munmap(bytes.baseAddress, bytes.count)
    if descriptor >= 0 { close(descriptor) }
  }

  public func word<Word: FixedWidthInteger & BitwiseCopyable>(
    _ type: Word.Type, at offset: Int
  ) -> Word {
    // The buffer checks the bounds (debug builds) and any bits are an integer.
    unsafe bytes.loadUnaligned(fromByteOffset: offset, as: type)
  }

  public func write(_ values: [UInt8], at offset: Int) {
    for (index, value) in values.enumerated() { unsafe bytes[offset + index] = value }
  }

  /// Little-endian.
  func write<Word: FixedWidthInteger & BitwiseCopyable>(_ value: Word, at offset: Int) {
    unsafe bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Word.self)
  }

  func zeroPage(at offset: Int) {
    // Slicing checks the bounds, and any bytes are a page.
    let page = unsafe bytes[offset..<offset + GuestMemoryFile.pageSize]
    _ = unsafe UnsafeMutableRawBufferPointer(rebasing: page)
      .initializeMemory(as: UInt8.self, repeating: 0)
  }

  public func page(at offset: Int) -> [UInt8] {
    unsafe Array(bytes[offset..<offset + GuestMemoryFile.pageSize])
  }

  // MARK: Comparing

  func isEqual(to other: GuestMemoryFile, at offset: Int, count: Int) -> Bool {
    // Both mappings are as large as the range's end.
    unsafe memcmp(bytes.baseAddress! + offset, other.bytes.baseAddress! + offset, count) == 0
  }

  func isZero(at offset: Int) -> Bool { isFilled(with: 0, at: offset) }

  /// Whether every word of the page has this value, those before `words` excepted.
  func isFilled(with value: UInt64, at offset: Int, from words: Int = 0) -> Bool {
    let start = offset + words * 8
    // Each word equals its neighbour, and the first one the value.
    let rest = GuestMemoryFile.pageSize - words * 8 - 8
    return unsafe word(UInt64.self, at: start) == value
      && memcmp(bytes.baseAddress! + start, bytes.baseAddress! + start + 8, rest) == 0
  }
}

/// What a laboratory cannot do, in one sentence.
public struct LabError: Error, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}
