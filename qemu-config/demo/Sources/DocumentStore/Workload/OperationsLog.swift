import Synchronization

/// Operations per slot of 100 ms of CLOCK_MONOTONIC. An operation counts in the slot in which it ends.
public final class OperationsLog: Sendable {
  public static let slotNanoseconds: UInt64 = 100_000_000

  /// One finished slot, as the control port reports it.
  public struct Slot: Equatable, Sendable {
    public var from: UInt64
    public var reads = 0
    public var writes = 0
    public var errors = 0
    /// 99th percentile of the latency, counted from when an operation was due, microseconds.
    public var p99: UInt64 = 0
  }

  public enum Kind: Sendable { case read, write }

  private struct State {
    var slot: Slot
    var latencies = LatencyHistogram()
  }
  private let state: Mutex<State>
  private let report: @Sendable (Slot) -> Void

  /// - Parameter report: Called with each finished slot, also with empty ones, in order. It must not
  ///   block and must not call the log.
  public init(now: UInt64, report: @escaping @Sendable (Slot) -> Void) {
    state = Mutex(State(slot: Slot(from: now - now % OperationsLog.slotNanoseconds)))
    self.report = report
  }

  /// Counts an operation that ended at `now` and was due at `due`.
  public func record(_ kind: Kind, due: UInt64, now: UInt64, failed: Bool) {
    state.withLock { state in
      finishSlots(&state, before: now)
      switch kind {
      case .read: state.slot.reads += 1
      case .write: state.slot.writes += 1
      }
      if failed { state.slot.errors += 1 }
      state.latencies.record(microseconds: now > due ? (now - due) / 1000 : 0)
    }
  }

  /// Reports what has finished by `now`; call it at least once a slot.
  public func advance(to now: UInt64) {
    state.withLock { finishSlots(&$0, before: now) }
  }

  private func finishSlots(_ state: inout State, before now: UInt64) {
    while state.slot.from + OperationsLog.slotNanoseconds <= now {
      state.slot.p99 = state.latencies.microseconds(at: 0.99)
      report(state.slot)
      state.latencies.clear()
      state.slot = Slot(from: state.slot.from + OperationsLog.slotNanoseconds)
    }
  }
}
