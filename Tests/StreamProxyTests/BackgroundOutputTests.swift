import Glibc
import Testing
import Threads

@testable import StreamProxy

/// What is logged where nobody reads it.
@Suite(.timeLimit(.minutes(10))) struct BackgroundOutputTests {
  /// A pipe, and all that has been read from it.
  private final class Pipe {
    private(set) var readEnd: Int32 = -1
    private(set) var writeEnd: Int32 = -1

    init() throws {
      var ends: [Int32] = [-1, -1]
      // pipe(2) writes two numbers.
      try #require(unsafe pipe(&ends) == 0)
      (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
      close(readEnd)
      close(writeEnd)
    }

    /// Reads so many bytes.
    func read(_ count: Int) -> String { read { $0.count >= count } }

    /// Reads up to the end of the next sentence that says that something was left out.
    func readToNotice() -> String {
      let end = Array(" bytes left out: nobody read them]\n".utf8)
      return read { $0.suffix(end.count).elementsEqual(end) }
    }

    /// Reads up to the end of a line, or of what there is.
    func readLine() -> String? {
      let text = read { $0.last == UInt8(ascii: "\n") }
      return text.isEmpty ? nil : text
    }

    /// Gives up when nothing has come for long.
    private func read(until isEnough: ([UInt8]) -> Bool) -> String {
      var all: [UInt8] = []
      var part = [UInt8](repeating: 0, count: 65_536)
      while !isEnough(all), waitReadable(readEnd, or: nil, for: .seconds(5)) == .ready {
        // As many bytes as the array has.
        let count = unsafe Glibc.read(readEnd, &part, part.count)
        guard count > 0 else { break }
        all += part[..<count]
      }
      return String(decoding: all, as: UTF8.self)
    }
  }

  @Test func whoeverSaysSomethingGoesOnThoughNobodyReadsAndNothingIsLostOrChangesPlaces() throws {
    let pipe = try Pipe()
    let output = BackgroundOutput(to: pipe.writeEnd)
    let lines = (0..<5000).map { "line \($0) of more than a pipe takes\n" }
    let said = BlockingThread("says") { for line in lines { output.write(line) } }
    #expect(said.join(for: .seconds(20)))
    let expected = lines.joined()
    #expect(pipe.read(expected.utf8.count) == expected)
    output.drain()
  }

  private static let line = String(repeating: "x", count: 999) + "\n"

  @Test func whatFindsNoRoomIsLeftOutAndThatIsSaid() throws {
    let pipe = try Pipe()
    let output = BackgroundOutput(to: pipe.writeEnd, capacity: 100_000)
    // More than that and what a pipe takes.
    for _ in 0..<300 { output.write(BackgroundOutputTests.line) }
    // It may be said more than once: the thread may take what waits at any time, the notice with it.
    var (written, leftOut) = (0, 0)
    while written + leftOut < 300_000, let text = pipe.readLine() {
      for line in text.split(separator: "\n") {
        if let bytes = line.wholeMatch(of: /\[(\d+) bytes left out: nobody read them\]/)?.output.1 {
          leftOut += try #require(Int(bytes))
        } else {
          #expect(line.count == 999)
          written += 1000
        }
      }
    }
    #expect(leftOut > 0)
    #expect(written + leftOut == 300_000)
    output.write("more\n")
    #expect(pipe.read(5) == "more\n")
  }

  /// Nothing waits then, and all the same there is something to say.
  @Test func whatIsLargerThanAllTheRoomIsLeftOutAndWhatFollowsIsWritten() throws {
    let pipe = try Pipe()
    let output = BackgroundOutput(to: pipe.writeEnd, capacity: 1000)
    output.write(String(repeating: "x", count: 1001))
    #expect(pipe.readToNotice() == "[1001 bytes left out: nobody read them]\n")
    output.write("more\n")
    #expect(pipe.read(5) == "more\n")
  }

  @Test func theEndIsNotKeptWaitingByAReaderWhoStandsStill() throws {
    let pipe = try Pipe()
    let output = BackgroundOutput(to: pipe.writeEnd)
    output.write(String(repeating: "x", count: 200_000))
    let drained = BlockingThread("drains") { output.drain(patience: .milliseconds(200)) }
    #expect(drained.join(for: .seconds(20)))
    #expect(pipe.read(200_000).count == 200_000)
  }
}
