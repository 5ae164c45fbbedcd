/// How many bytes of one connection QEMU may take for sent that have not reached the wire: they are
/// drained while the guest stands still, so they are bounded by the time that the wire needs for them.
///
/// Two buffers follow the wire: what the kernel has received from the source and what it has not sent
/// towards the destination. Small ones cost a wake-up for every few dozen KB; a faster wire empties a
/// larger one in the same time. From 512 KiB on a stream leaves the processor's cache between its steps,
/// and throughput falls (docs/benchmarks.md). Where a leg is a unix socket, its buffer belongs to whoever
/// writes into it and stays what it is.
struct BytesInFlight {
  /// Of each of the two, in bytes. 1 Gbit/s stays here.
  static let smallestBuffer = 128 * 1024
  static let largestBuffer = 256 * 1024
  /// How long the wire may take to empty one of them, in seconds.
  private static let wireTime = 0.001
  /// And which part of the source's downtime limit that may be.
  private static let limitShare = 0.025
  /// Of one connection as it begins.
  static let smallest = MainChannel.inputSize + 2 * smallestBuffer

  private let source: Socket
  private let destination: Socket
  private let limit: DowntimeLimit
  private var buffer = BytesInFlight.smallestBuffer
  /// What has been seen of the wire last.
  private var capacity: Double?
  /// The bound in force: both buffers and what is read at once.
  private(set) var bytes = BytesInFlight.smallest

  init(_ source: Socket, _ destination: Socket, within limit: DowntimeLimit) {
    self.source = source
    self.destination = destination
    self.limit = limit
  }

  /// Makes the buffers as large as the wire allows now. A smaller receive buffer takes effect as it is
  /// read; what a source has been allowed to send stays allowed (tcp(7)).
  mutating func follow(_ rate: WireRate) {
    guard rate.capacity != capacity else { return }
    capacity = rate.capacity
    let wanted = BytesInFlight.buffer(
      wire: rate.capacity, downtimeLimit: limit.milliseconds)
    guard wanted != buffer else { return }
    buffer = wanted
    bytes = MainChannel.inputSize
    bytes += source.isUnix ? BytesInFlight.smallestBuffer : source.limitReceived(to: wanted)
    if destination.isUnix {
      bytes += BytesInFlight.smallestBuffer
    } else {
      destination.limitUnsent(to: Int32(wanted))
      bytes += wanted
    }
  }

  /// Size in bytes of one buffer: a power of two, so that a rate that wavers changes nothing.
  ///
  /// - Parameters:
  ///   - wire: bytes per second that the connection's destination is known to take; nil where nothing is.
  ///   - downtimeLimit: the source's, in milliseconds; nil where it is not known.
  static func buffer(wire: Double?, downtimeLimit: UInt64?) -> Int {
    guard let wire, wire.isFinite, let downtimeLimit else { return smallestBuffer }
    let time = min(wireTime, Double(downtimeLimit) / 1000 * limitShare)
    var size = smallestBuffer
    while size < largestBuffer, Double(size * 2) <= wire * time { size *= 2 }
    return size
  }
}
