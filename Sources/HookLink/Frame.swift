import Checksum

/// One framed message, the same on the hook link (proxy and guardian, over the virtio-serial port
/// `org.leafcutter.hook.0`) and on the local link (guardian, keeper and database, over a unix socket).
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | resync marker ``marker`` |
/// | 8 | 2 | protocol version, ``protocolVersion`` |
/// | 10 | 2 | message type |
/// | 12 | 4 | payload length n, at most ``maximumPayload`` |
/// | 16 | 16 | migration identity (two 64-bit words, high first); zero where the message belongs to none |
/// | 32 | n | payload |
/// | 32 + n | 4 | CRC-32C of bytes 8 to 32 + n |
///
/// Integers are little-endian. The marker and the checksum are there because QEMU throws away queued
/// bytes when the host side of a port closes: a reader may find itself in the middle of a frame.
public struct Frame: Equatable, Sendable {
  public static let marker: [UInt8] = [0x4c, 0x43, 0x48, 0x4b, 0x0d, 0x0a, 0x1a, 0xf5]
  public static let protocolVersion: UInt16 = 3
  public static let headerSize = 32
  public static let checksumSize = 4
  /// Large enough for the held-page bitmap of 4 GiB of guest memory, small enough to be buffered.
  public static let maximumPayload = 128 * 1024 + 256

  public var type: UInt16
  public var migration: MigrationID
  public var payload: [UInt8]

  /// - Precondition: `payload` is at most ``maximumPayload`` bytes.
  public init(type: UInt16, migration: MigrationID, payload: [UInt8]) {
    precondition(payload.count <= Frame.maximumPayload, "a frame's payload is limited")
    self.type = type
    self.migration = migration
    self.payload = payload
  }

  public func encoded() -> [UInt8] {
    var writer = PayloadWriter()
    writer.put(Frame.protocolVersion)
    writer.put(type)
    writer.put(UInt32(payload.count))
    writer.put(migration)
    let body = writer.bytes + payload
    var bytes = Frame.marker
    bytes.reserveCapacity(Frame.headerSize + payload.count + Frame.checksumSize)
    bytes.append(contentsOf: body)
    var trailer = PayloadWriter()
    trailer.put(CRC32C.checksum(of: body[...]))
    bytes.append(contentsOf: trailer.bytes)
    return bytes
  }
}

/// Why a link is given up.
public enum LinkError: Error, Equatable, Sendable {
  /// The peer speaks another version of the protocol.
  case version(theirs: UInt16)
  /// More than ``FrameDecoder/maximumSkipped`` bytes passed without one good frame.
  case nonsense(skipped: Int)
  /// More than ``FrameDecoder/maximumDamaged`` frames in a row had a wrong checksum.
  case damaged(frames: Int)
}

extension LinkError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .version(let theirs):
      """
      the peer speaks version \(theirs) of the hook protocol and this program speaks version \
      \(Frame.protocolVersion); install the same release on host and guest
      """
    case .damaged(let frames):
      "the peer sent \(frames) damaged frames in a row"
    case .nonsense(let skipped):
      "the peer sent \(skipped) bytes without one frame of the hook protocol among them"
    }
  }
}

/// Finds frames in a byte stream, also after a loss: what is not a frame is skipped up to the next
/// marker. It never holds more than one frame and one read.
public struct FrameDecoder: Sendable {
  /// How many bytes in a row may be skipped before the peer is given up.
  public static let maximumSkipped = 4 * Frame.maximumPayload

  /// How many frames in a row may have a wrong checksum. A loss damages one; a peer that damages
  /// many makes this side compute checksums over the same bytes again and again.
  public static let maximumDamaged = 16

  private var buffer: [UInt8] = []
  private var start = 0
  private var skippedInARow = 0
  private var damagedInARow = 0
  /// Bytes skipped so far that belonged to no frame.
  public private(set) var skipped = 0

  public init() {}

  /// Whether there is nothing of a frame that has not been taken out.
  public var isEmpty: Bool { start == buffer.count }

  /// Adds bytes read from the link; take the frames out with ``next()`` before adding more.
  public mutating func append(_ bytes: some Sequence<UInt8>) {
    if start > 0 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next whole frame, or nil when more bytes are needed.
  ///
  /// - Throws: ``LinkError`` when the peer must be given up; the decoder is of no use afterwards.
  public mutating func next() throws(LinkError) -> Frame? {
    while true {
      seekMarker()
      if skippedInARow > FrameDecoder.maximumSkipped { throw .nonsense(skipped: skippedInARow) }
      guard buffer.count - start >= Frame.headerSize else { return nil }
      var header = PayloadReader(Array(buffer[start + 8..<start + Frame.headerSize]))
      guard let version: UInt16 = try? header.integer("version"),
        let type: UInt16 = try? header.integer("type"),
        let length: UInt32 = try? header.integer("length"),
        let migration = try? header.migration("identity")
      else { return nil }
      guard length <= Frame.maximumPayload else {
        skip(1)
        continue
      }
      let end = start + Frame.headerSize + Int(length)
      guard buffer.count >= end + Frame.checksumSize else { return nil }
      var trailer = PayloadReader(Array(buffer[end..<end + Frame.checksumSize]))
      let expected: UInt32? = try? trailer.integer("checksum")
      guard expected == CRC32C.checksum(of: buffer[start + 8..<end]) else {
        damagedInARow += 1
        if damagedInARow > FrameDecoder.maximumDamaged { throw .damaged(frames: damagedInARow) }
        skip(1)
        continue
      }
      // Only a frame that is whole is trusted to say which version it is.
      guard version == Frame.protocolVersion else { throw .version(theirs: version) }
      let frame = Frame(
        type: type, migration: migration,
        payload: Array(buffer[start + Frame.headerSize..<end]))
      start = end + Frame.checksumSize
      skippedInARow = 0
      damagedInARow = 0
      return frame
    }
  }

  private mutating func skip(_ count: Int) {
    start += count
    skipped += count
    skippedInARow += count
  }

  /// Moves to the first place where the marker, or as much of it as has arrived, stands.
  private mutating func seekMarker() {
    while start < buffer.count {
      let available = min(Frame.marker.count, buffer.count - start)
      if (0..<available).allSatisfy({ buffer[start + $0] == Frame.marker[$0] }) { return }
      skip(1)
    }
  }
}
