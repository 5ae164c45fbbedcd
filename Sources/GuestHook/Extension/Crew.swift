import CExtensionShims
import Glibc
import Synchronization

/// Threads that do one thing together and end. They take no signals but their own faults': the others are
/// the program's.
final class Crew: Sendable {
  private let finished = Signal()
  private let left: Atomic<Int>

  /// Starts `count` threads, which call `body` with their number. Where none is to be had, the work is
  /// done all the same, here and now: it must come to its end by itself.
  init(_ name: String, count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    left = Atomic(count)
    if count == 0 { finished.raise() }
    for number in 0..<count where !start(name, number, body) {
      body(number)
      end()
    }
  }

  /// The same for work that somebody else ends, or paces: only threads do it, as many as are to be had;
  /// nil where that is none.
  init?(besides name: String, count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    left = Atomic(count)
    if count == 0 { finished.raise() }
    let missing = (0..<count).count { !start(name, $0, body) }
    if missing == count, count > 0 { return nil }
    for _ in 0..<missing { end() }
  }

  private func start(
    _ name: String, _ number: Int, _ body: @escaping @Sendable (Int) -> Void
  ) -> Bool {
    startThread(name) { [self] in
      body(number)
      end()
    }
  }

  private func end() {
    if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { finished.raise() }
  }

  /// Waits until all have ended; false when the time was over before.
  @discardableResult
  func join(milliseconds: Int32 = -1) -> Bool { finished.wait(milliseconds: milliseconds) }
}

/// What an allocator maps for a thread's first allocations. Where it cannot, the program ends: jemalloc 5.3
/// uses the arena that it did not get, and Swift's runtime takes no NULL. jemalloc's arenas begin with 2 to
/// 4 MiB, and grow by as much.
let threadMemory = 16 << 20

/// Starts a detached thread with every signal blocked that is not a fault of its own; false where there is
/// none to be had, or no address space for what it allocates.
func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
  guard leafcutter_has_room_for_thread(threadMemory) else { return false }
  let start = ThreadStart(name: name, body: body)
  var thread = pthread_t()
  let mask = unsafe leafcutter_block_signals()
  // The box is retained here and released by the new thread, which takes it over.
  let status = unsafe pthread_create(
    &thread, nil,
    { argument in
      let start = unsafe Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue()
      unsafe leafcutter_extension_name_thread(start.name)
      start.body()
      return nil
    }, unsafe Unmanaged.passRetained(start).toOpaque())
  unsafe leafcutter_restore_signals(mask)
  guard status == 0 else {
    // Nobody took the box over.
    unsafe Unmanaged.passUnretained(start).release()
    return false
  }
  pthread_detach(thread)
  return true
}

private final class ThreadStart: Sendable {
  let name: String
  let body: @Sendable () -> Void

  init(name: String, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.body = body
  }
}
