import Glibc

@testable import Guardian

/// Memory with which the kernel does not do everything that it does with an allocator's. It stays until the
/// process ends.
@safe struct UnusualMemory: @unchecked Sendable {
  // `@unchecked` and `@safe`: one mapping that nobody else knows, and that stays.
  static let bytes = 64 << 10
  /// __NR_mseal, the same on every architecture.
  private static let seal = 462

  /// The kernel moves its mapping for nobody: mseal(2), Linux 6.10. nil where it has no such mappings.
  static let immovable = unsafe UnusualMemory { memory in
    typealias Call = @convention(c) (Int, UnsafeMutableRawPointer?, Int, Int) -> Int
    // syscall(2) takes its arguments like a function that has as many.
    let call = unsafe unsafeBitCast(dlsym(nil, "syscall"), to: Call.self)
    return unsafe call(seal, memory, bytes, 0) == 0
  }

  /// What a program gives back that has protected it: it can be moved, and not be pinned.
  static func readOnly() -> UnusualMemory? {
    // The memory is the mapping itself.
    unsafe UnusualMemory { memory in unsafe mprotect(memory, bytes, PROT_READ) == 0 }
  }

  let address: UnsafeMutableRawPointer

  private init?(_ change: (UnsafeMutableRawPointer) -> Bool) {
    // A new private mapping of that size.
    let memory = unsafe mmap(
      nil, UnusualMemory.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { return nil }
    unsafe memset(memory, 0x5a, UnusualMemory.bytes)
    guard unsafe change(memory) else {
      unsafe munmap(memory, UnusualMemory.bytes)
      return nil
    }
    unsafe address = memory
  }
}
