import Testing

@testable import Lab

@Suite("The store's control port")
struct ConsoleTests {
  @Test("lines are found however the bytes are cut")
  func linesAcrossReads() {
    var lines = LineSplitter()
    #expect(lines.append(Array("beat 1 5\nbe".utf8)[...]) == ["beat 1 5"])
    #expect(lines.append(Array("at 2".utf8)[...]) == [])
    #expect(lines.append(Array(" 10\nops\n".utf8)[...]) == ["beat 2 10", "ops"])
  }

  @Test("a flood without a line's end is not kept")
  func unendedLine() {
    var lines = LineSplitter()
    let flood = [UInt8](repeating: 0x61, count: LineSplitter.limit + 1)
    #expect(lines.append(flood[...]) == [])
    #expect(lines.append(Array("b\n".utf8)[...]) == ["b"])
  }

  @Test("what is cut off where the guest was moved is left out")
  func partialLines() {
    var state = StoreConsole.State()
    for line in ["at 7 100", "beat 8", "beat x 1", "beat 9 200", "ops 1 2 3", "ops 100 95 5 0 9"] {
      state.receive(line, at: 1000)
    }
    #expect(state.beats.map(\.sequence) == [9])
    #expect(state.slots.map(\.operations) == [100])
  }

  @Test("the late answer to an earlier command is not taken for a later one's")
  func lateAnswer() {
    var state = StoreConsole.State()
    state.receive("ok ping", at: 1000)
    #expect(state.answer(to: "info") == nil)
    state.receive("error info no", at: 1001)
    #expect(state.answer(to: "info") == "error info no")
  }
}

@Suite("Programs that the laboratory starts")
struct ChildProcessTests {
  @Test("a program's failure carries what it said")
  func failureShowsLog() throws {
    let log = "\(try temporaryDirectory())/log"
    let error = #expect(throws: LabError.self) {
      try ChildProcess.run("a script", ["sh", "-c", "echo no such luck; exit 3"], log: log)
    }
    #expect(error?.sentence == "a script ended with exit code 3")
    #expect(error?.logs.first?.contains("no such luck") == true)
  }

  @Test("arguments arrive as they are, empty ones too")
  func argumentsArriveWhole() throws {
    let log = "\(try temporaryDirectory())/log"
    try ChildProcess.run("printf", ["printf", "<%s>", "a b", "", "c"], log: log)
    #expect(LabFiles.tail(of: log)?.hasSuffix("<a b><><c>") == true)
  }

  @Test("a program that is not there is named")
  func missingProgram() throws {
    let log = "\(try temporaryDirectory())/log"
    let error = #expect(throws: LabError.self) {
      _ = try ChildProcess("nothing", ["leafcutter-no-such-program"], log: log)
    }
    #expect(error?.sentence.contains("leafcutter-no-such-program") == true)
  }

  @Test("a killed program is seen as killed")
  func killedProgram() throws {
    let log = "\(try temporaryDirectory())/log"
    let process = try ChildProcess("sleep", ["sleep", "60"], log: log)
    #expect(process.endingIfAny == nil)
    process.kill()
    #expect(process.endingIfAny == .killed(signal: 9))
  }
}
