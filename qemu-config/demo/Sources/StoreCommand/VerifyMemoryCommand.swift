import ArgumentParser
import DocumentStore
import Glibc

struct VerifyMemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify-memory",
    abstract: "Own memory, and keep checking and rewriting it.",
    discussion: """
      Each page is checked before it is given back, and the memory taken anew comes from whatever the \
      kernel has free. What was seen is kept in the tally file: pages, pages checked, passes over all \
      of them, corrupted pages.

      With --leave it takes memory until so little is available, which is memory pressure that can tell \
      whether it was given memory that somebody else still needs.

      Exit codes: 0 no page was corrupted; 1 one was; 64 wrong flags.
      """)

  @Option(help: ArgumentHelp("Where the counts are kept.", valueName: "file"))
  var tally: String

  @Option(help: ArgumentHelp("Memory to own.", valueName: "MiB"))
  var size = 64

  @Option(
    help: ArgumentHelp(
      "Instead of --size: take all but so much of what is available.", valueName: "MiB"))
  var leave: Int?

  @Option(help: ArgumentHelp("How much is given back and taken anew.", valueName: "MiB/s"))
  var rate = 4

  @Option(help: ArgumentHelp("End after that time; 0 is never.", valueName: "seconds"))
  var seconds: UInt64 = 0

  /// How many steps a second has; all of the memory is checked every two seconds.
  private static let stepsPerSecond: UInt64 = 4
  private static let stepsPerPass = 8

  func validate() throws {
    guard (1...1_048_576).contains(size) else {
      throw ValidationError("--size takes MiB, from 1 to 1048576.")
    }
    guard (0...10_000).contains(rate) else { throw ValidationError("--rate takes 0 to 10000.") }
    guard seconds <= 86_400 else { throw ValidationError("--seconds takes at most 86400.") }
  }

  func run() throws {
    let file = try TallyFile(tally)
    let memory = WatchedMemory(seed: UInt64(getpid()) &+ MonotonicClock.now)
    memory.whenFound = { logLine("\($0.text)") }
    let end = seconds == 0 ? UInt64.max : MonotonicClock.now + seconds * 1_000_000_000
    var owned = 0
    var due = MonotonicClock.now
    while MonotonicClock.now < end {
      while wantsMore(owned), memory.grow() {
        owned += 1
        file.write(memory.tally)
      }
      memory.check((owned + Self.stepsPerPass - 1) / Self.stepsPerPass)
      for _ in 0..<max(rate / Int(Self.stepsPerSecond), rate.signum()) { memory.renew() }
      file.write(memory.tally)
      due = max(due, MonotonicClock.now) + 1_000_000_000 / Self.stepsPerSecond
      MonotonicClock.sleep(until: due)
    }
    memory.check(owned)
    file.write(memory.tally)
    guard memory.tally.corrupted == 0 else { throw ExitCode.failure }
  }

  private func wantsMore(_ owned: Int) -> Bool {
    guard let leave else { return owned * WatchedMemory.chunkBytes < size << 20 }
    return (AvailableMemory.bytes ?? 0) > UInt64(leave) << 20
  }
}

extension WatchedMemory.Finding {
  fileprivate var text: String {
    func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    return """
      CORRUPTED page at \(hexadecimal(UInt64(address))) in frame \(Frame.number(at: address)), written \
      \((seenAt - writtenAt) / 1_000_000) ms ago: \(words) words from \(firstWord) to \(lastWord) (read \
      again: \(wordsAgain)), \(zeroWords) are zero; word \(firstWord) is \(hexadecimal(found)) and was \
      \(hexadecimal(expected))
      """
  }
}

private enum Frame {
  /// The physical page behind an address, as root sees it in /proc/self/pagemap: the lowest 55 bits of
  /// an entry (Documentation/admin-guide/mm/pagemap.rst).
  static func number(at address: UInt) -> String {
    // The path is a string, and the entry is written to a local of its size, during the calls.
    let descriptor = unsafe open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "?" }
    defer { close(descriptor) }
    var entry: UInt64 = 0
    guard unsafe pread(descriptor, &entry, 8, off_t(address / 4096 * 8)) == 8 else { return "?" }
    return "0x" + String(entry & (1 << 55 - 1), radix: 16)
  }
}
