import Synchronization

/// The host's end of the demo store's control port, `org.leafcutter.demo.0`: lines of text.
///
/// The guest says `beat SEQUENCE NANOSECONDS` every 5 ms and `ops FROM READS WRITES ERRORS P99` every
/// 100 ms, with times of its own CLOCK_MONOTONIC, and answers each command by one line that begins with
/// `ok WORD` or `error WORD`.
public final class StoreConsole: Sendable {
  /// One sign of life.
  public struct Beat: Sendable {
    public var sequence: UInt64
    /// Nanoseconds of the guest's clock.
    public var guestTime: UInt64
    /// Nanoseconds of the host's clock, when the line arrived.
    public var hostTime: UInt64
  }

  /// What the store did within 100 ms.
  public struct Slot: Sendable {
    /// Nanoseconds of the guest's clock.
    public var guestTime: UInt64
    public var reads: Int
    public var writes: Int
    public var errors: Int
    /// Microseconds.
    public var p99: Int

    /// Nanoseconds.
    public static let length: UInt64 = 100_000_000
    public var operations: Int { reads + writes }
  }

  /// The figures of an answer, `key=value`.
  public typealias Answer = [String: String]

  struct State {
    var lines = LineSplitter()
    var beats: [Beat] = []
    var slots: [Slot] = []
    var answers: [String] = []
    var hasEnded = false
  }

  /// What the reading thread and everyone else share.
  private final class Shared: Sendable {
    let state = Mutex(State())
  }

  private let name: String
  private let shared = Shared()
  private let port: PortConnection

  /// Connects to a guest's port. At the destination that is best done before the guest arrives.
  public convenience init(_ machine: VirtualMachine) throws(LabError) {
    try self.init(path: machine.socketPath(.demo), name: machine.name)
  }

  public init(path: String, name: String) throws(LabError) {
    self.name = name
    let shared = self.shared
    port = try PortConnection(path: path, name: "\(name) store") { bytes, time in
      shared.state.withLock { state in
        for line in state.lines.append(bytes) { state.receive(line, at: time) }
      }
    } atEnd: {
      shared.state.withLock { $0.hasEnded = true }
    }
  }

  deinit { port.close() }

  public var beats: [Beat] { shared.state.withLock { $0.beats } }
  public var slots: [Slot] { shared.state.withLock { $0.slots } }
  public var lastBeat: Beat? { shared.state.withLock { $0.beats.last } }

  /// Waits for the first sign of life after `time`, given by the host's clock.
  public func waitForBeat(after time: UInt64 = 0, timeout: Double) throws(LabError) -> Beat {
    let beat: Beat? = try HostClock.poll(every: 0.005, for: timeout) { () throws(LabError) in
      if let last = lastBeat, last.hostTime > time {
        return beats.first { $0.hostTime > time }
      }
      guard !shared.state.withLock({ $0.hasEnded }) else { throw ended() }
      return nil
    }
    guard let beat else {
      throw LabError("the store at \(name) gave no sign of life within \(Int(timeout)) s")
    }
    return beat
  }

  /// Sends a command and waits for its answer. One command at a time; the late answer to an earlier one
  /// that nobody waits for any more is told from it by its word.
  ///
  /// - Throws: when the store answers with an error, or not within `timeout` seconds.
  @discardableResult
  public func ask(_ command: String, timeout: Double = 30) throws(LabError) -> Answer {
    let word = command.prefix { $0 != " " }
    shared.state.withLock { $0.answers.removeAll() }
    try port.write(command + "\n")
    let line: String? = try HostClock.poll(every: 0.005, for: timeout) { () throws(LabError) in
      let (line, hasEnded) = shared.state.withLock { state in
        (state.answer(to: word), state.hasEnded)
      }
      if line == nil, hasEnded { throw ended() }
      return line
    }
    guard let line else {
      throw LabError("the store at \(name) did not answer \(command) within \(Int(timeout)) s")
    }
    let words = line.split(separator: " ")
    guard words.first == "ok" else {
      throw LabError("the store at \(name) answered \(command) with: \(line)")
    }
    return Dictionary(
      words.dropFirst(2).compactMap { word in
        word.firstIndex(of: "=").map {
          (String(word[..<$0]), String(word[word.index(after: $0)...]))
        }
      }, uniquingKeysWith: { _, last in last })
  }

  /// Sends a command whose answer nobody waits for, for instance because its effect forestalls it.
  public func tell(_ command: String) throws(LabError) { try port.write(command + "\n") }

  /// How far the host's clock was ahead of the guest's, in nanoseconds, where the line took the
  /// shortest way: the smallest difference seen. It differs before and after a migration, because the
  /// guest's clock stands still while the guest is stopped.
  public func clockOffset() -> Int64? {
    beats.map { Int64(bitPattern: $0.hostTime &- $0.guestTime) }.min()
  }

  private func ended() -> LabError { LabError("QEMU closed the store's port at \(name)") }
}

extension StoreConsole.State {
  func answer(to word: Substring) -> String? {
    answers.first { $0.split(separator: " ").dropFirst().first == word }
  }

  /// Sorts one line in; what is none of the protocol's lines is left out (a line may be cut off where
  /// the guest was moved).
  mutating func receive(_ line: String, at time: UInt64) {
    let words = line.split(separator: " ")
    let numbers = words.dropFirst().map { UInt64($0) }
    switch words.first {
    case "beat":
      guard numbers.count == 2, let sequence = numbers[0], let guest = numbers[1] else { return }
      beats.append(.init(sequence: sequence, guestTime: guest, hostTime: time))
    case "ops":
      let values = numbers.compactMap { $0 }
      guard values.count == 5, numbers.count == 5 else { return }
      slots.append(
        .init(
          guestTime: values[0], reads: Int(clamping: values[1]), writes: Int(clamping: values[2]),
          errors: Int(clamping: values[3]), p99: Int(clamping: values[4])))
    case "ok", "error": answers.append(line)
    default: break
    }
  }
}

/// Cuts bytes into lines.
struct LineSplitter: Sendable {
  private var rest: [UInt8] = []
  /// A longer line is none of the protocol's and is thrown away.
  static let limit = 4096

  /// Adds bytes and gives the lines that they complete, without their ends.
  mutating func append(_ bytes: ArraySlice<UInt8>) -> [String] {
    var lines: [String] = []
    var start = bytes.startIndex
    while let end = bytes[start...].firstIndex(of: 0x0a) {
      lines.append(String(decoding: rest + bytes[start..<end], as: UTF8.self))
      rest.removeAll(keepingCapacity: true)
      start = end + 1
    }
    rest.append(contentsOf: bytes[start...])
    if rest.count > LineSplitter.limit { rest.removeAll() }
    return lines
  }
}
