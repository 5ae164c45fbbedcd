/// Numbers of QEMU's migration stream (`migration/savevm.c`, `migration/ram.c`, `migration/ram.h`).
/// All integers on the wire are big-endian.
enum StreamFormat {
  /// "QEVM", `savevm.c:qemu_savevm_state_header`.
  static let magic: UInt32 = 0x5145_564d
  static let version: UInt32 = 3

  /// First byte of everything between the preamble and the end (`savevm.h`, QEMU_VM_*).
  enum Element {
    static let endOfFile: UInt8 = 0x00
    static let start: UInt8 = 0x01
    static let part: UInt8 = 0x02
    static let end: UInt8 = 0x03
    static let full: UInt8 = 0x04
    static let subsection: UInt8 = 0x05
    static let configuration: UInt8 = 0x07
    static let command: UInt8 = 0x08
    static let footer: UInt8 = 0x7e
  }

  /// `savevm.c:enum qemu_vm_cmd`.
  enum Command {
    static let openReturnPath = 1
    static let postcopyAdvise = 3
    static let postcopyRAMDiscard = 6
    static let packaged = 7
    static let enableCOLO = 8
    static let switchoverStart = 11
  }

  /// Low bits of a RAM record's first word (`ram.h`, RAM_SAVE_FLAG_*).
  enum RecordFlag {
    static let zero: UInt64 = 0x002
    static let memorySize: UInt64 = 0x004
    static let page: UInt64 = 0x008
    static let endOfSection: UInt64 = 0x010
    static let `continue`: UInt64 = 0x020
    static let xbzrle: UInt64 = 0x040
    static let hook: UInt64 = 0x080
    static let compressedPage: UInt64 = 0x100
    static let multifdFlush: UInt64 = 0x200
    /// All of them lie below the smallest target page.
    static let mask: UInt64 = 0x3ff
  }

  /// The RAM section's version since 2009; any other is unknown.
  static let ramVersion: UInt32 = 4
}

extension RawSpan {
  /// The big-endian integer at `offset`.
  ///
  /// - Precondition: `offset` and the integer's bytes lie inside the span (checked).
  @inline(__always)
  func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ type: Integer.Type, at offset: Int
  ) -> Integer {
    // Any bit pattern is an integer; the span checks the bounds.
    Integer(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type))
  }

  /// A copy of some bytes, for names and the like.
  func bytes(_ range: Range<Int>) -> [UInt8] {
    range.map { bigEndian(UInt8.self, at: $0) }
  }

  /// The bytes as text; what is no UTF-8 is replaced, because names are only shown and compared.
  func text(_ range: Range<Int>) -> String { String(decoding: bytes(range), as: UTF8.self) }
}
