/// Numbers of a multifd channel (`migration/multifd.h`, MultiFDInit_t, MultiFDPacket_t,
/// MultiFDPacketDeviceState_t). All integers are big-endian.
enum MultifdFormat {
  static let magic: UInt32 = 0x1122_3344
  static let version: UInt32 = 1
  /// What a channel begins with.
  static let initLength = 64
  /// Magic, version and flags: they say which kind of header it is.
  static let prefixLength = 12
  static let deviceStateHeaderLength = 276
  /// Pages of one packet: `MULTIFD_PACKET_SIZE` (512 KiB) divided by the page size.
  static let packetBytes = 512 * 1024

  enum Flag {
    static let sync: UInt32 = 0x01
    /// zlib, zstd, qpl, uadk, qatzip; none is 0.
    static let compression: UInt32 = 0x3e
    static let deviceState: UInt32 = 0x40
    /// All that there are until 11.1. What another one says about the pages is not known.
    static let known = sync | compression | deviceState
  }

  enum Offset {
    static let version = 4
    static let flags = 8
    /// In what a channel begins with.
    static let channel = 24
    static let normalPages = 16
    static let nextPacketSize = 20
    /// Since 9.0; before, it was unused and 0.
    static let zeroPages = 32
    static let block = 64
    static let blockLength = 256
    static let pages = 320
    /// In a device-state header; its name is as long as a block's.
    static let deviceName = 12
    static let deviceInstance = 268
    static let deviceStateSize = 272
  }

  static func headerLength(pageSize: Int) -> Int {
    Offset.pages + 8 * (packetBytes / pageSize)
  }
}
