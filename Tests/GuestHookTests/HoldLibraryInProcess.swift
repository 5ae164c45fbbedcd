import Glibc

@testable import Guardian

/// The hold library in this process, loaded late: nothing but what is given to it here goes through it.
@safe final class HoldLibraryInProcess {
  private typealias Function = @convention(c) () -> Int32
  private typealias Switch = @convention(c) (Int32) -> Void
  private typealias Open = @convention(c) (Int) -> Int32
  private typealias SetMark = @convention(c) (Int32) -> Int32
  private typealias Advise = @convention(c) (UnsafeMutableRawPointer?, Int, Int32) -> Int32

  // Of a library that is never unloaded.
  private let handle: UnsafeMutableRawPointer

  init() throws {
    let path =
      GuardianFixture.executable.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
      + "/libleafcutter_hold.so"
    // The path is alive during the call.
    guard let handle = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      throw SystemError("load \(path)", code: ENOENT)
    }
    unsafe self.handle = handle
  }

  /// Whether it says RELEASED before it lets go without a guardian.
  var saysReleasedFirst: Bool {
    get { unsafe symbol("leafcutter_hold_says_released_first", Int32.self).pointee != 0 }
    set {
      unsafe symbol("leafcutter_hold_says_released_first", Int32.self).pointee = newValue ? 1 : 0
    }
  }

  /// Gives memory back inside a window, as an allocator does, and pins what the library has caught of it;
  /// the frames.
  func hold(bytes: Int, mark: Descriptor) throws -> Set<UInt64> {
    // A new private mapping, which the library moves away from.
    let memory = unsafe mmap(
      nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
      throw SystemError("map memory")
    }
    defer { unsafe munmap(memory, bytes) }
    unsafe memset(memory, 0x5a, bytes)
    let first = UInt64(UInt(bitPattern: memory)) / 4096
    let frames = LostPages.frames(of: first..<first + UInt64(bytes) / 4096)
    try check(
      function("leafcutter_hold_set_mark", SetMark.self)(mark.number), "map the mark")
    try check(function("leafcutter_hold_open", Open.self)(4 * bytes), "open the window")
    try check(unsafe function("madvise", Advise.self)(memory, bytes, MADV_DONTNEED), "give back")
    try check(function("leafcutter_hold_close", Function.self)(), "close the window")
    try check(function("leafcutter_hold_pin", Open.self)(32 << 20), "pin")
    return frames
  }

  /// Reads eight bytes of a file through the library.
  func read(_ file: Descriptor) -> Int {
    typealias Read = @convention(c) (Int32, UnsafeMutableRawPointer?, Int, Int) -> Int
    var word: UInt64 = 0
    // Eight bytes of our own.
    return unsafe function("pread", Read.self)(file.number, &word, 8, 0)
  }

  func timeReads(_ on: Bool) { function("leafcutter_hold_time_reads", Switch.self)(on ? 1 : 0) }

  /// Whether this thread's reads are none of the program's own.
  func readApart(_ on: Bool) { function("leafcutter_hold_read_apart", Switch.self)(on ? 1 : 0) }

  /// Reads begun and ended, and what they took in nanoseconds.
  var readTimes: [UInt64] {
    typealias Get = @convention(c) (UnsafeMutableRawPointer) -> Void
    var times: [UInt64] = [0, 0, 0]
    // struct leafcutter_hold_read_times is three words.
    unsafe times.withUnsafeMutableBytes {
      unsafe function("leafcutter_hold_get_read_times", Get.self)($0.baseAddress!)
    }
    return times
  }

  func abandon() -> Int32 { function("leafcutter_hold_abandon", Function.self)() }

  /// The ring that pins what is held; negative where nothing is.
  var ring: Int32 { function("leafcutter_hold_ring", Function.self)() }

  private func check(_ code: Int32, _ action: String) throws(SystemError) {
    if code != 0 { throw SystemError(action, code: code) }
  }

  private func symbol<Value>(_ name: String, _ type: Value.Type) -> UnsafeMutablePointer<Value> {
    // The library's header says what it is; a debug build has it.
    unsafe dlsym(handle, name).assumingMemoryBound(to: type)
  }

  private func function<Function>(_ name: String, _ type: Function.Type) -> Function {
    // As its header declares it.
    unsafe unsafeBitCast(dlsym(handle, name), to: type)
  }
}
