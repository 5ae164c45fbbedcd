import Dispatch
import Glibc

@testable import Guardian

/// The hold library in this process, loaded late: nothing but what is given to it here goes through it.
@safe final class HoldLibraryInProcess: @unchecked Sendable {
  private typealias Function = @convention(c) () -> Int32
  private typealias Open = @convention(c) (Int, Int, Int) -> Int32
  private typealias Pieces = @convention(c) (UnsafeMutableRawPointer?, Int) -> Int
  private typealias Pin = @convention(c) (Int, UInt64) -> Int32
  private typealias Switch = @convention(c) (Int32) -> Void
  private typealias SetMark = @convention(c) (Int32) -> Int32
  private typealias Advise = @convention(c) (UnsafeMutableRawPointer?, Int, Int32) -> Int32

  /// It has one hold area, whoever uses it.
  private static let turn = DispatchSemaphore(value: 1)
  // Of a library that is never unloaded; `@unchecked`, because its functions are for any thread.
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
    HoldLibraryInProcess.turn.wait()
  }

  deinit { HoldLibraryInProcess.turn.signal() }

  /// Opens a window of 1 MiB; an errno value where that fails.
  func open() -> Int32 { function("leafcutter_hold_open", Open.self)(1 << 20, .max, 0) }

  /// Whether it says RELEASED before it lets go without a guardian.
  var saysReleasedFirst: Bool {
    get { unsafe symbol("leafcutter_hold_says_released_first", Int32.self).pointee != 0 }
    set {
      unsafe symbol("leafcutter_hold_says_released_first", Int32.self).pointee = newValue ? 1 : 0
    }
  }

  /// What the library has made of memory that was given back to it.
  struct Held {
    /// Frames that the memory occupied before.
    var frames: Set<UInt64>
    /// Frames in the pinned pieces.
    var pinned: Set<UInt64>
    var pieces: Int
    /// Pages of the area that are there, from the first piece on, as many as the memory had.
    var present: Int
    /// Pages of the memory that did not read as zero when it had been given back.
    var pagesLeft: Int
  }

  /// Gives memory back inside a window, as an allocator does, and pins what the library has caught of it.
  ///
  /// - Parameters:
  ///   - hole: leaves the last page of each so many untouched.
  ///   - most: bytes that may be caught.
  ///   - filling: bytes that may be taken to fill holes.
  ///   - piece: bytes that are pinned together at most.
  ///   - longest: nanoseconds that pinning may take.
  ///   - failure: what it fails with.
  ///   - other: memory that is given back before, if any.
  ///   - forking: has a child of fork(2) live from before the pin until after it.
  func hold(
    bytes: Int, mark: Descriptor, hole: Int = .max, most: Int = .max, filling: Int = 0,
    piece: Int = 32 << 20, longest: UInt64 = 60_000_000_000, failure: Int32 = 0,
    before other: UnusualMemory? = nil, forking: Bool = false
  ) throws -> Held {
    // A new private mapping, which the library moves away from.
    let memory = unsafe mmap(
      nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
      throw SystemError("map memory")
    }
    defer { unsafe munmap(memory, bytes) }
    let pages = bytes / 4096
    unsafe madvise(memory, bytes, MADV_NOHUGEPAGE)
    // A child of another test's would make the pin take copies, which are other frames.
    unsafe madvise(memory, bytes, MADV_DONTFORK)
    for page in 0..<pages where page % hole != hole - 1 {
      // Below `bytes`.
      unsafe memset(memory + page * 4096, 0x5a, 4096)
    }
    let first = UInt64(UInt(bitPattern: memory)) / 4096
    // A page that is not there has frame 0.
    let frames = LostPages.frames(of: first..<first + UInt64(pages)).subtracting([0])
    try check(
      function("leafcutter_hold_open", Open.self)(4 * bytes, most, filling), "open the window")
    try check(
      function("leafcutter_hold_set_mark", SetMark.self)(mark.number), "map the mark")
    if let other {
      let status = unsafe function("madvise", Advise.self)(
        other.address, UnusualMemory.bytes, MADV_DONTNEED)
      try check(status, "give back other memory")
    }
    // As a program's is.
    if forking { unsafe madvise(memory, bytes, MADV_DOFORK) }
    try check(unsafe function("madvise", Advise.self)(memory, bytes, MADV_DONTNEED), "give back")
    let child = forking ? try IdleChild() : nil
    defer { child?.end() }
    try check(function("leafcutter_hold_close", Function.self)(), "close the window")
    let reason = function("leafcutter_hold_pin", Pin.self)(piece, longest)
    if reason != failure { try check(reason, "pin") }
    let most = 10_000
    var pieces = [(address: UInt64, length: UInt64)](repeating: (0, 0), count: most)
    // As many elements as are promised, each of two words.
    let count = unsafe pieces.withUnsafeMutableBytes {
      unsafe function("leafcutter_hold_pieces", Pieces.self)($0.baseAddress, most)
    }
    let pinned = pieces[..<count].reduce(into: Set<UInt64>()) { pinned, piece in
      let first = piece.address / 4096
      pinned.formUnion(LostPages.frames(of: first..<first + piece.length / 4096))
    }
    let area = count > 0 ? pieces[0].address / 4096 : 0
    let present = LostPages.present(area..<area + UInt64(pages))
    // Below `bytes`.
    let left = (0..<pages).count {
      unsafe memory.load(fromByteOffset: $0 * 4096, as: UInt64.self) != 0
    }
    return Held(frames: frames, pinned: pinned, pieces: count, present: present, pagesLeft: left)
  }

  func release() throws {
    try check(function("leafcutter_hold_release", Function.self)(), "release")
  }

  /// Asks whose allocator serves the process; afterwards the library is to look no name up any more.
  ///
  /// - Returns: has that allocator give back what it keeps, and asks what it still has.
  func purging() -> @Sendable () -> Void {
    typealias Name = @convention(c) () -> UnsafePointer<CChar>?
    typealias Count = @convention(c) () -> Int
    _ = unsafe function("leafcutter_hold_allocator", Name.self)()
    let purge = function("leafcutter_hold_purge", Function.self)
    let count = function("leafcutter_hold_kept_free", Count.self)
    return {
      _ = purge()
      _ = count()
    }
  }

  /// What the library says serves the process.
  var allocator: String {
    typealias Name = @convention(c) () -> UnsafePointer<CChar>?
    // A static text of the library's.
    return unsafe function("leafcutter_hold_allocator", Name.self)().map {
      unsafe String(cString: $0)
    } ?? ""
  }

  func purge() -> Int32 { function("leafcutter_hold_purge", Function.self)() }

  /// Finds a symbol of the process, as dlsym(3) does.
  typealias Symbol = @convention(c) (UnsafePointer<CChar>) -> UnsafeMutableRawPointer?

  /// Has the library look its allocator's functions up again.
  func lookUp(_ symbol: Symbol) {
    typealias LookUp = @convention(c) (Symbol) -> Void
    unsafe function("leafcutter_hold_look_up", LookUp.self)(symbol)
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
