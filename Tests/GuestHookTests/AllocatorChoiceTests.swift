import Glibc
import Synchronization
import Testing

/// Which allocator the hold library finds in a process, and how it is purged.
@Suite(.serialized) struct AllocatorChoiceTests {
  /// A part of google/tcmalloc, which MongoDB 8.0 has linked in: it has none of gperftools' names.
  @Test func theOtherTCMallocIsKnownAndPurgedOfAllThatItKeeps() throws {
    let library = try HoldLibraryInProcess()
    // Looked up before anything is said of it.
    _ = library.allocator
    unsafe library.lookUp { name in
      // Zero-terminated, and alive during the call.
      unsafe String(cString: name) == "MallocExtension_Internal_ReleaseMemoryToSystem"
        ? unsafe unsafeBitCast(release, to: UnsafeMutableRawPointer.self) : nil
    }
    // RTLD_DEFAULT is a null pointer.
    defer { unsafe library.lookUp { unsafe dlsym(nil, $0) } }
    #expect(library.allocator == "tcmalloc")
    released.store(0, ordering: .relaxed)
    #expect(library.purge() == 0)
    #expect(released.load(ordering: .relaxed) >= 1 << 47)
  }

  @Test func nothingOfAnAllocatorsIsTheCLibrarysOwn() throws {
    let library = try HoldLibraryInProcess()
    _ = library.allocator
    unsafe library.lookUp { _ in nil }
    defer { unsafe library.lookUp { unsafe dlsym(nil, $0) } }
    #expect(library.allocator == "glibc")
  }
}

/// Bytes that were asked for.
private let released = Atomic(0)
private let release: @convention(c) (Int) -> Int = { bytes in
  released.store(bytes, ordering: .relaxed)
  return bytes
}
