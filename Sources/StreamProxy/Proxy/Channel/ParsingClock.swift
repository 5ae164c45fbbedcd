import CProxySystem

/// The calling thread's CPU time inside the editor, less what reading the clock takes: it is a system
/// call, and for buffers of tens of KB it takes about as long as the editor.
struct ParsingClock {
  private let cost: UInt64
  private var began: UInt64 = 0
  private(set) var nanoseconds: UInt64 = 0

  init() {
    cost =
      (0..<32).map { _ in
        let from = leafcutter_thread_cpu_ns()
        return leafcutter_thread_cpu_ns() - from
      }.min() ?? 0
  }

  mutating func start() { began = leafcutter_thread_cpu_ns() }

  mutating func stop() {
    let passed = leafcutter_thread_cpu_ns() - began
    nanoseconds += passed - min(passed, cost)
  }
}
