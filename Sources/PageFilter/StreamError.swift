/// Why a stream is passed on unedited.
public enum BypassReason: Error, Equatable, Sendable {
  case notAMigrationStream
  case unsupportedVersion(UInt32)
  case postcopyRecovery
  case unknownConfiguration(String)
  case unknownSection(name: String)
  case unknownSectionID(UInt32)
  case unknownElement(UInt8)
  case unknownRecord(flags: UInt64)
  case unknownRAMVersion(UInt32)
  case earlyDeviceState(String)
  case malformed(String)
  case unknownBlock(String)
  case noCurrentBlock
  case pageBeyondBlock(name: String, offset: UInt64)
  case footerMismatch(expected: UInt32, found: UInt32)
  /// The stream says that it is over, and RAM's END section has not come.
  case endBeforeRAM
  /// A channel beside the main one of a target whose pages are not 4096 bytes.
  case otherPageSize(Int)
  case xbzrle
  case compressedPages
  case colo
  case mappedRAM
}

extension BypassReason: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notAMigrationStream: "this is not a QEMU migration stream"
    case .unsupportedVersion(let version): "migration stream version \(version) is not known"
    case .postcopyRecovery: "a post-copy recovery stream is passed on as it is"
    case .unknownConfiguration(let name): "configuration subsection '\(name)' is not known"
    case .unknownSection(let name): "iterable section '\(name)' is not known"
    case .unknownSectionID(let id): "section id \(id) was never started"
    case .unknownElement(let type): "element type 0x\(String(type, radix: 16)) is not known"
    case .unknownRecord(let flags):
      "a RAM record carries flags 0x\(String(flags, radix: 16)), which is no known combination"
    case .unknownRAMVersion(let version): "RAM section version \(version) is not known"
    case .earlyDeviceState(let name): "device state '\(name)' comes before the end of RAM"
    case .malformed(let what): "\(what) is malformed"
    case .unknownBlock(let name): "RAM block '\(name)' was never announced"
    case .noCurrentBlock: "a RAM record continues a block, but none was named before"
    case .pageBeyondBlock(let name, let offset):
      "a page at offset 0x\(String(offset, radix: 16)) lies beyond RAM block '\(name)'"
    case .footerMismatch(let expected, let found):
      "a footer names section \(found) inside section \(expected)"
    case .endBeforeRAM: "the stream says that it is over before the end of RAM has come"
    case .otherPageSize(let size): "pages of \(size) bytes are not read on this channel"
    case .xbzrle: "XBZRLE deltas refer to earlier copies, so no page may be dropped"
    case .compressedPages: "the stream carries compressed pages"
    case .colo: "COLO replicates memory exactly, so no page may be dropped"
    case .mappedRAM: "mapped-ram streams cannot be edited"
    }
  }
}

/// Something unexpected after the first page was dropped and before the point of no return: the
/// migration must fail, because it is not known any more what the destination has.
public struct StreamError: Error, Equatable, Sendable {
  /// Offset in the stream of the element that is wrong.
  public var offset: UInt64
  public var reason: BypassReason
}

extension StreamError: CustomStringConvertible {
  public var description: String {
    "at byte \(offset) of the stream, after pages had been dropped: \(reason)"
  }
}
