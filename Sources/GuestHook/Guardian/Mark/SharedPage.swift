import CGuestSystem
import Glibc
import HookLink

/// The mark page's memory, mapped. Words are written and read atomically, because other processes
/// and QEMU look at the page at any time.
@safe final class SharedPage: Sendable {
  /// One page, mapped until deinit; only touched through the word functions.
  private nonisolated(unsafe) let address: UnsafeMutableRawPointer

  /// - Throws: ``SystemError`` where the memory cannot be mapped.
  init(of memory: Descriptor) throws(SystemError) {
    var information = stat()
    // fstat(2) fills one struct. A shorter file would raise SIGBUS when it is touched.
    guard unsafe fstat(memory.number, &information) == 0,
      information.st_size >= MarkPage.size
    else { throw SystemError("map the mark page", code: EINVAL) }
    // A new mapping of the kernel's choice.
    let mapped = unsafe mmap(
      nil, MarkPage.size, PROT_READ | PROT_WRITE, MAP_SHARED, memory.number, 0)
    guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else {
      throw SystemError("map the mark page")
    }
    unsafe address = mapped
  }

  deinit { unsafe munmap(address, MarkPage.size) }

  func store(_ value: UInt64, at offset: Int) {
    precondition(offset >= 0 && offset + 8 <= MarkPage.size && offset % 8 == 0)
    unsafe leafcutter_guest_store_word(address, offset, value)
  }

  func load(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset + 8 <= MarkPage.size && offset % 8 == 0)
    return unsafe leafcutter_guest_load_word(address, offset)
  }

  /// Replaces `expected` by `wanted`; false where the word is another one.
  func exchange(_ expected: UInt64, for wanted: UInt64, at offset: Int) -> Bool {
    precondition(offset >= 0 && offset + 8 <= MarkPage.size && offset % 8 == 0)
    return unsafe leafcutter_guest_exchange_word(address, offset, expected, wanted)
  }

  /// Writes signature and nonce, eight bytes at a time.
  func writeIdentification(_ bytes: [UInt8]) {
    for start in stride(from: 0, to: bytes.count, by: 8) {
      let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) }
      store(word, at: MarkPage.Offset.signature + start)
    }
  }

  /// One more heartbeat.
  func advance() {
    store(load(at: MarkPage.Offset.counter) &+ 1, at: MarkPage.Offset.counter)
    store(monotonicNanoseconds(), at: MarkPage.Offset.time)
  }

  func writeReleased() {
    store(MarkPage.State.released.rawValue, at: MarkPage.Offset.state)
    leafcutter_guest_fence()
  }

  /// Whether the verdict on the page is that this is the destination of `migration`.
  func saysDestination(of migration: MigrationID) -> Bool {
    // The usual answer without making anything.
    guard load(at: MarkPage.Offset.verdict) != 0 else { return false }
    let expected = MarkPage.verdict(for: migration)
    return stride(from: 0, to: expected.count, by: 8).allSatisfy { start in
      let word = load(at: MarkPage.Offset.verdict + start)
      return (0..<8).allSatisfy {
        UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) == expected[start + $0]
      }
    }
  }

  /// Pins the page as long as the result, or a duplicate of it, is open.
  func pin() throws(SystemError) -> Descriptor {
    // The page stays mapped while this object lives; the pin outlives the mapping.
    let ring = unsafe leafcutter_guest_pin(address, MarkPage.size)
    guard ring >= 0 else { throw SystemError("pin the mark page (io_uring)") }
    return Descriptor(owning: ring)
  }

  /// The guest-physical page number; nil where the kernel does not tell.
  var frame: UInt64? {
    guard let pagemap = try? Descriptor(opening: "/proc/self/pagemap") else { return nil }
    var entry: UInt64 = 0
    let offset = unsafe off_t(UInt(bitPattern: address) / 4096 * 8)
    // One entry of eight bytes.
    guard unsafe pread(pagemap.number, &entry, 8, offset) == 8 else { return nil }
    let number = PagemapEntry(entry).frame
    return number == 0 ? nil : number
  }
}
