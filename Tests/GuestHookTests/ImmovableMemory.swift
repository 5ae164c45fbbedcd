import Glibc

@testable import Guardian

/// Memory whose mapping the kernel moves for nobody: mseal(2), Linux 6.10. It stays until the process ends.
@safe struct ImmovableMemory: @unchecked Sendable {
  // `@unchecked` and `@safe`: one mapping that nobody else knows, and that stays.
  static let bytes = 64 << 10
  /// __NR_mseal, the same on every architecture.
  private static let seal = 462

  /// nil where the kernel has no such mappings.
  static let one = ImmovableMemory()

  let address: UnsafeMutableRawPointer

  private init?() {
    typealias Call = @convention(c) (Int, UnsafeMutableRawPointer?, Int, Int) -> Int
    // A new private mapping of that size.
    let memory = unsafe mmap(
      nil, ImmovableMemory.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else { return nil }
    unsafe memset(memory, 0x5a, ImmovableMemory.bytes)
    // syscall(2) takes its arguments like a function that has as many.
    let call = unsafe unsafeBitCast(dlsym(nil, "syscall"), to: Call.self)
    guard unsafe call(ImmovableMemory.seal, memory, ImmovableMemory.bytes, 0) == 0 else {
      unsafe munmap(memory, ImmovableMemory.bytes)
      return nil
    }
    unsafe address = memory
  }
}
