import CBenchSystem
import Glibc

/// What counts a relay's calls while it runs: the kernel, where it allows that, and the library in the program.
@safe
final class RelayCounters {
  /// What only rises while the program runs.
  struct Counts {
    /// By the kernel's count; nil where it does not tell.
    var systemCalls: UInt64?
    /// By the library in the program.
    var calls = call_counts()

    /// The kernel's number where there is one. The library's is another: it has reads, writes, splices and waits
    /// only.
    var callsInTotal: (number: UInt64, by: Counter) {
      systemCalls.map { ($0, .kernel) } ?? (calls.io_calls, .library)
    }

    static func - (later: Counts, earlier: Counts) -> Counts {
      var counts = Counts()
      if let now = later.systemCalls, let then = earlier.systemCalls {
        counts.systemCalls = now - then
      }
      counts.calls = call_counts(
        io_calls: later.calls.io_calls - earlier.calls.io_calls,
        io_bytes: later.calls.io_bytes - earlier.calls.io_bytes,
        allocations: later.calls.allocations - earlier.calls.allocations,
        moved_bytes: later.calls.moved_bytes - earlier.calls.moved_bytes)
      return counts
    }
  }

  /// Who has counted.
  enum Counter: String, Encodable, Sendable {
    /// All system calls (the tracepoint `raw_syscalls:sys_enter`).
    case kernel
    /// What the library replaces (call_counter.c).
    case library
  }

  /// What the library is to count into.
  let file: String
  private let counts: UnsafeMutablePointer<call_counts>
  private let counter: Int32

  /// For the program that this thread starts next.
  ///
  /// - Throws: where there can be no file in `folder`.
  init(in folder: String) throws {
    file = "\(folder)/counts"
    guard let mapped = unsafe bench_map_file(file, MemoryLayout<call_counts>.size) else {
      throw BenchError("\(file) cannot be mapped: \(errorText(errno))")
    }
    // The file is as long as the structure and begins with zeroes.
    unsafe counts = mapped.assumingMemoryBound(to: call_counts.self)
    counter = bench_count_system_calls()
  }

  deinit {
    // Mapped by this value, for as long as the structure.
    unsafe munmap(counts, MemoryLayout<call_counts>.size)
    if counter >= 0 { close(counter) }
  }

  var now: Counts {
    // The other process writes while this one reads: each word is whole.
    Counts(
      systemCalls: counter >= 0 ? bench_system_calls(counter) : nil, calls: unsafe counts.pointee)
  }
}
