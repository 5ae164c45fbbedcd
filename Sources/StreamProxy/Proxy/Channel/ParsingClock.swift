import CProxySystem

/// The calling thread's CPU time inside the editor.
///
/// Reading the clock is a system call, and for buffers of tens of KB it takes longer than the editor. So
/// only each eighth call is measured and stands for eight, and what reading the clock takes then and
/// there, after a read(2) that has emptied the caches, is taken off.
struct ParsingClock {
  private static let sampling: UInt64 = 8

  private var calls: UInt64 = 0
  private var cost: UInt64 = 0
  private var began: UInt64?
  private(set) var nanoseconds: UInt64 = 0

  mutating func start() {
    calls &+= 1
    guard calls % ParsingClock.sampling == 1 else { return }
    let before = leafcutter_thread_cpu_ns()
    let now = leafcutter_thread_cpu_ns()
    (cost, began) = (now - before, now)
  }

  mutating func stop() {
    guard let began else { return }
    let passed = leafcutter_thread_cpu_ns() - began
    nanoseconds += (passed - min(passed, cost)) * ParsingClock.sampling
    self.began = nil
  }
}
