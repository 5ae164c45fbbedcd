/// Bytes that wait to be sent. What has gone is moved away for many sends at once, because a report may be 64 MiB
/// and a port takes 32 KiB of it.
struct SendQueue {
  private var bytes: [UInt8] = []
  /// What is before it has been sent.
  private var start = 0

  var count: Int { bytes.count - start }
  var isEmpty: Bool { count == 0 }
  /// Bytes that are kept, those that have gone included: never more than twice as many as wait.
  var stored: Int { bytes.count }

  mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  /// The first bytes, at most so many, for the time of the call.
  func withFirst<Result>(_ most: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    unsafe bytes.withUnsafeBytes {
      // Within the array, which is alive during the call.
      unsafe body(UnsafeRawBufferPointer(rebasing: $0[start..<start + min(most, count)]))
    }
  }

  mutating func removeFirst(_ sent: Int) {
    start += sent
    guard start > bytes.count / 2 else { return }
    bytes.removeFirst(start)
    start = 0
  }

  mutating func removeAll() { self = SendQueue() }
}
