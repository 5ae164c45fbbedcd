import CExtensionShims
import Glibc
import HookLink

/// The preloaded hold library (Sources/GuestHook/Hold), if the process has one.
@safe struct HoldLibrary: @unchecked Sendable {
  // `@unchecked` and `@safe`: pointers to functions of a library that is never unloaded.
  let functions: leafcutter_hold_functions
  /// Holes in what is held may be filled with so small a part of the memory that is to spare.
  private static let sparePerFilling: UInt64 = 4
  /// What a program frees while its cache is small was taken anew, and may take so much of it.
  private static let sparePerCatch: UInt64 = 2

  /// "jemalloc", "tcmalloc" or "glibc".
  let allocator: String
  /// Why frames cannot be held whatever the kernel offers, or nil.
  let obstacle: String?

  /// Why there is none.
  enum Absence: Error {
    case notPreloaded, ofAnotherRelease

    var reason: String {
      switch self {
      case .notPreloaded: "libleafcutter_hold.so is not preloaded"
      case .ofAnotherRelease:
        "the libleafcutter_hold.so that is preloaded is of another release than the extension; restart the database"
      }
    }
  }

  init() throws(Absence) {
    // A structure of our own, alive during the call; it is given functions of a library that stays mapped.
    var functions = leafcutter_hold_functions()
    let isWhole = unsafe leafcutter_find_hold(&functions)
    // It is looked for first.
    guard functions.abi != nil else { throw .notPreloaded }
    guard isWhole, functions.abi() == LEAFCUTTER_HOLD_ABI else { throw .ofAnotherRelease }
    self.functions = functions
    allocator = unsafe functions.allocator().map { unsafe String(cString: $0) } ?? "glibc"
    obstacle =
      allocator != "glibc"
      ? nil
      : """
      frames cannot be held, because glibc's malloc, or another one that is neither jemalloc nor tcmalloc, returns \
      memory unseen; preload libjemalloc.so.2 after libleafcutter_hold.so
      """
  }

  /// Opens the window, over as much address space as is to be had of what is good for this process.
  ///
  /// - Parameters:
  ///   - expecting: bytes in the cache, which allocators keep in up to a quarter more of memory.
  ///   - spare: bytes of memory that nobody uses.
  /// - Returns: how many bytes of address space that is, where it may not be enough; else nil.
  func open(expecting: UInt64, spare: UInt64) throws(EngineError) -> Int? {
    var usage = rusage()
    // A structure of our own, alive during the call. ru_maxrss is in KiB.
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let peak = usage.ru_maxrss * 1024
    // Pieces of 2 MiB and more are aligned like their sources. Address space is not memory, but counts as such
    // where the kernel overcommits none (vm.overcommit_memory=2), and has a limit of its own (RLIMIT_AS).
    let ample = peak * 3 + 256 << 20
    let tight = peak + peak / 4
    let most = Int(
      clamping: expecting + expecting / 4 + spare / HoldLibrary.sparePerCatch + UInt64(keptFree))
    let filling = Int(clamping: spare / HoldLibrary.sparePerFilling)
    let code = functions.open(ample, most, filling)
    guard code == ENOMEM else {
      try check(code, "open the hold window")
      return nil
    }
    try check(functions.open(tight, most, filling), "open the hold window")
    return tight
  }

  func close() { _ = functions.close() }

  /// Asks the allocator for the free memory it keeps.
  func purge() { _ = functions.purge() }

  /// Bytes of free memory that the allocator keeps all the same; 0 where it does not tell.
  var keptFree: Int { functions.kept_free() }

  func pin(pieceBytes: Int, longest nanoseconds: UInt64) throws(EngineError) {
    try check(functions.pin(pieceBytes, nanoseconds), "pin the held memory")
  }

  /// What is pinned, or nil where nothing is.
  func held() -> LocalMessage.HeldMemory? {
    let ring = functions.ring()
    guard ring >= 0 else { return nil }
    let count = functions.pieces(nil, 0)
    var pieces = [leafcutter_hold_piece](repeating: leafcutter_hold_piece(), count: count)
    // As many elements as are promised; nobody else pins or releases meanwhile.
    _ = unsafe functions.pieces(&pieces, count)
    return LocalMessage.HeldMemory(
      ring: ring,
      pieces: pieces.map { LocalMessage.AddressRange(address: $0.address, length: $0.length) })
  }

  /// Unpins the piece that begins there and gives its memory back.
  func releasePiece(at address: UInt64) throws(EngineError) {
    try check(functions.release_piece(address), "give back a held piece")
  }

  func release() { _ = functions.release() }

  /// The mark page says that the guest has arrived.
  var isAtDestination: Bool { functions.at_destination() == 1 }

  /// Writes RELEASED into the mark page before it releases.
  func abandon() { _ = functions.abandon() }

  func setMark(_ descriptor: Int32) throws(EngineError) {
    try check(functions.set_mark(descriptor), "map the mark page")
  }

  var statistics: leafcutter_hold_stats {
    var statistics = leafcutter_hold_stats()
    // Written during the call.
    unsafe functions.get_stats(&statistics)
    return statistics
  }

  /// For visits of a table that read nothing of its file.
  func unread(_ file: FileIdentity) -> UnreadFile {
    UnreadFile(
      refuse: functions.refuse_reads, identity: .init(device: file.device, inode: file.inode))
  }

  /// Where in its file the first read would have begun that this thread was refused in its last visit
  /// without reading; nil where none was.
  var refusedRead: UInt64? {
    let offset = functions.refused_read()
    return offset < 0 ? nil : UInt64(offset)
  }

  /// Whether the program's own reads are timed.
  func timeReads(_ on: Bool) { functions.time_reads(on ? 1 : 0) }

  /// This thread's reads are none of the program's own.
  func readApart() { functions.read_apart(1) }

  /// What has been timed so far.
  var reads: RefaultPace.Reads {
    var times = leafcutter_hold_read_times()
    unsafe functions.get_read_times(&times)
    return RefaultPace.Reads(begun: times.begun, ended: times.ended, nanoseconds: times.taken_ns)
  }

  private func check(_ code: Int32, _ action: String) throws(EngineError) {
    guard code == 0 else { throw EngineError(action: action, code: code) }
  }
}

/// A table's file whose reads are refused to a thread while it visits a leaf.
@safe struct UnreadFile {
  let refuse: leafcutter_refuse_reads
  let identity: leafcutter_file_identity
}
