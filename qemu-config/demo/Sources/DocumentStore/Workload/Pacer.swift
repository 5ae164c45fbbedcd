/// The schedule of one of several clients that together do a fixed number of operations a second.
/// It is an open loop: an operation that is late does not move those after it, and what was missed is
/// caught up at full speed, but no more than ``catchUp`` of it; the rest is given up.
public struct Pacer: Sendable {
  /// How much lateness is caught up, nanoseconds.
  public static let catchUp: UInt64 = 250_000_000
  private let interval: Double
  private var due: Double

  /// - Parameters:
  ///   - rate: Operations a second of all clients together, more than 0.
  ///   - client: Number of this client, from 0; the clients' schedules interleave.
  ///   - start: When the schedule begins, CLOCK_MONOTONIC in nanoseconds.
  public init(rate: Double, client: Int, of clients: Int, start: UInt64) {
    interval = 1e9 * Double(clients) / rate
    due = Double(start) + interval * Double(client) / Double(clients)
  }

  /// When the next operation is due, given the time now. The latency is counted from there.
  public mutating func next(now: UInt64) -> UInt64 {
    due = max(due, Double(now) - Double(Pacer.catchUp))
    defer { due += interval }
    return UInt64(due)
  }
}
