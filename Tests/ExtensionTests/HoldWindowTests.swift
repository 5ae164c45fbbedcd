import Foundation
import Glibc
import Synchronization
import Testing

@testable import WiredTigerExtension

/// The hold library in this process, found as in a database's.
@Suite(.serialized) struct HoldWindowTests {
  private static let library: HoldLibrary? = {
    // The path is zero-terminated for the time of the call.
    _ = unsafe dlopen(
      DatabaseProcess.products + "/libleafcutter_hold.so", RTLD_NOW | RTLD_GLOBAL)
    return try? HoldLibrary()
  }()

  @Test func theWindowEndsWhereMemoryBecomesShort() throws {
    let hold = try #require(HoldWindowTests.library)
    _ = try hold.open(expecting: 64 << 20, spare: 1 << 30)
    defer { hold.release() }
    let available = Mutex<UInt64>(1 << 30)
    let window = HoldWindow(hold, spare: 1 << 30) { available.withLock { $0 } }
    window.purge()
    #expect(!window.hasClosedEarly)
    #expect(try caught(hold) > 0)
    available.withLock { $0 = 60 << 20 }
    window.purge()
    #expect(window.hasClosedEarly)
    #expect(try caught(hold) == 0)
  }

  @Test func memoryThatNobodyTellsOfIsNeverShort() throws {
    let hold = try #require(HoldWindowTests.library)
    _ = try hold.open(expecting: 64 << 20, spare: 0)
    defer { hold.release() }
    let window = HoldWindow(hold, spare: 0) { 0 }
    window.purge()
    #expect(!window.hasClosedEarly)
  }

  /// The kernel may still read what it unmaps (vmsplice, MSG_ZEROCOPY).
  @Test func whatAProgramUnmapsIsNotCaught() throws {
    let hold = try #require(HoldWindowTests.library)
    _ = try hold.open(expecting: 64 << 20, spare: 0)
    defer { hold.release() }
    #expect(try caught(hold) > 0)
    #expect(try caught(hold, unmapping: true) == 0)
  }

  /// Bytes of a mapping that were caught when it was given back.
  ///
  /// - Parameter unmapping: at once, and not after the kernel has been told that it is not needed.
  private func caught(_ hold: HoldLibrary, unmapping: Bool = false) throws -> UInt64 {
    let bytes = 1 << 20
    let before = hold.statistics.moved_bytes
    // A mapping of our own; the library's madvise is called, as an allocator's call would be.
    let memory = unsafe mmap(
      nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages = unsafe memory, unsafe pages != MAP_FAILED else { return 0 }
    unsafe memset(pages, 1, bytes)
    typealias Advise = @convention(c) (UnsafeMutableRawPointer, Int, Int32) -> Int32
    let name = "libleafcutter_hold.so"
    let handle = unsafe dlopen(DatabaseProcess.products + "/" + name, RTLD_NOW | RTLD_NOLOAD)
    let advise = unsafe unsafeBitCast(dlsym(handle, "madvise"), to: Advise.self)
    if !unmapping { #expect(unsafe advise(pages, bytes, MADV_DONTNEED) == 0) }
    typealias Unmap = @convention(c) (UnsafeMutableRawPointer, Int) -> Int32
    // The library's, or what it leaves to the C library.
    let unmap = unsafe unsafeBitCast(dlsym(handle, "munmap"), to: Unmap.self)
    #expect(unsafe unmap(pages, bytes) == 0)
    return hold.statistics.moved_bytes - before
  }
}
