import CGuestSystem
import Glibc
import HookLink

@testable import Guardian

/// A database as the guardian sees it: real anonymous memory of this process, pinned by a real ring,
/// and the local link's messages.
@safe final class FakeDatabase {
  let home: String
  private(set) var link: LocalConnection
  private(set) var migration = MigrationID.none
  /// What it was asked to prepare.
  private(set) var asked: LocalMessage.PrepareDatabase?
  /// The mark page, as the hold library maps it.
  private(set) var mark: SharedPage?
  private(set) var markMemory: Descriptor?
  private var ring: Descriptor?
  private(set) var pieces: [LocalMessage.AddressRange] = []
  private var memory: UnsafeMutableRawPointer?

  /// What every byte of the memory holds before the guardian does anything.
  static let oldContent: UInt8 = 0x5a

  /// Connects and registers.
  init(socket: String, home: String) throws {
    self.home = home
    // The path is alive during the call.
    link = LocalConnection(Descriptor(owning: unsafe leafcutter_guest_connect_unix(socket)))
    link.send(
      LocalMessage.Register(
        home: home, engine: "a test", layout: "a layout", allocator: "an allocator",
        listsLeaves: true, holdsFrames: true, notes: []),
      for: .none)
  }

  /// One of which the guardian has heard when this returns.
  static func registered(socket: String, home: String) throws -> FakeDatabase {
    func count() throws -> Int {
      let answer = try GuardianClient(socket: socket).ask(LocalMessage.StatusRequest()) { _ in }
      guard case .status(let status) = answer else { return 0 }
      return status.lines.count { $0.hasPrefix("database: ") }
    }
    let before = try count()
    let database = try FakeDatabase(socket: socket, home: home)
    let began = ContinuousClock.now
    while try count() == before, began.duration(to: .now) < .seconds(10) { usleep(5000) }
    return database
  }

  /// The next message; nil when none comes in time.
  func awaitMessage(milliseconds: Int = 5000) -> LocalMessage? {
    guard let frame = link.awaitFrame(milliseconds: milliseconds) else { return nil }
    migration = frame.migration
    return try? LocalMessage(frame)
  }

  /// Answers PrepareDatabase: holds `bytes` in two pieces with a gap of pages that are not there.
  func holdWhenAsked(bytes: Int = 8 << 20) -> Bool {
    guard case .prepare(let request)? = awaitMessage() else { return false }
    asked = request
    if let memory = link.takeDescriptor() {
      markMemory = memory
      mark = try? SharedPage(of: memory)
    }
    // One mapping, alive until release; the middle of it is given back.
    guard let memory = unsafe leafcutter_guest_populated_memory(bytes) else { return false }
    unsafe self.memory = memory
    // Old content, as evicted pages leave it.
    unsafe memset(memory, Int32(FakeDatabase.oldContent), bytes)
    ring = Descriptor(owning: unsafe leafcutter_guest_pin(memory, bytes))
    let start = UInt64(UInt(bitPattern: memory))
    pieces = [
      LocalMessage.AddressRange(address: start, length: UInt64(bytes / 2)),
      LocalMessage.AddressRange(address: start + UInt64(bytes / 2), length: UInt64(bytes / 2)),
    ]
    link.send(LocalMessage.HeldMemory(ring: ring!.number, pieces: pieces), for: migration)
    link.send(
      LocalMessage.Prepared(
        leavesListed: 300, leavesInManifest: 200, leavesEvicted: 150,
        steps: [StepTime(step: "evict", nanoseconds: 1)], notes: []), for: migration)
    return true
  }

  /// The frames of the pieces, read independently of the guardian's code.
  func frames() -> Set<UInt64> { Set(addresses().keys) }

  /// The frames of one piece.
  func frames(ofPiece index: Int) -> Set<UInt64> {
    let piece = pieces[index]
    return Set(
      addresses().filter { $0.value >= piece.address && $0.value < piece.address + piece.length }
        .keys)
  }

  /// What a frame of the pieces holds.
  func page(inFrame frame: UInt64) -> [UInt8] {
    guard let address = addresses()[frame] else { return [] }
    // A page of the memory that is mapped until release.
    return unsafe Array(
      UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(address)), count: 4096))
  }

  /// Whether every byte of the pieces is `value`.
  func holdsOnly(_ value: UInt8) -> Bool {
    pieces.allSatisfy { piece in
      // As above.
      unsafe UnsafeRawBufferPointer(
        start: UnsafeRawPointer(bitPattern: UInt(piece.address)), count: Int(piece.length)
      ).allSatisfy { $0 == value }
    }
  }

  private func addresses() -> [UInt64: UInt64] {
    guard let file = try? Descriptor(opening: "/proc/self/pagemap") else { return [:] }
    var frames: [UInt64: UInt64] = [:]
    for piece in pieces {
      for page in piece.address / 4096..<(piece.address + piece.length) / 4096 {
        var word: UInt64 = 0
        // One entry of eight bytes.
        guard unsafe pread(file.number, &word, 8, off_t(page * 8)) == 8 else { continue }
        frames[word & (1 << 55 - 1)] = page * 4096
      }
    }
    return frames
  }

  /// Waits for Release and Resume and answers both; what the mark page said when Release came.
  func releaseAndResumeWhenAsked(milliseconds: Int = 5000) -> UInt64? {
    guard case .release? = awaitMessage(milliseconds: milliseconds) else { return nil }
    let state = mark?.load(at: MarkPage.Offset.state)
    release()
    guard awaitResume() else { return nil }
    link.send(
      LocalMessage.DatabaseResumed(
        leavesInManifest: 200, leavesRefaulted: 200, leavesResident: 199, steps: [], notes: []),
      for: migration)
    return state
  }

  /// Waits to be told that it may read its leaves back.
  func awaitResume() -> Bool { if case .resume? = awaitMessage() { true } else { false } }

  func release() {
    ring = nil
    // No piece is touched any more.
    let length = Int(pieces.reduce(0) { $0 + $1.length })
    if let memory = unsafe memory { unsafe munmap(memory, length) }
    unsafe memory = nil
    link.send(LocalMessage.Released(), for: migration)
  }

  /// The mark page as it is now, which stays like this.
  func copyOfMark() throws -> SharedPage? {
    guard let mark else { return nil }
    // Literal text.
    let memory = Descriptor(owning: unsafe leafcutter_guest_page_memfd("leafcutter-copy"))
    let copy = try SharedPage(of: memory)
    for offset in stride(from: 0, to: MarkPage.size, by: 8) {
      copy.store(mark.load(at: offset), at: offset)
    }
    return copy
  }

  /// Writes the verdict where only the proxy does, in the copies that reach the destination.
  func writeVerdict(for id: MigrationID) {
    let bytes = MarkPage.verdict(for: id)
    for start in stride(from: 0, to: bytes.count, by: 8) {
      let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) }
      mark?.store(word, at: MarkPage.Offset.verdict + start)
    }
  }
}
