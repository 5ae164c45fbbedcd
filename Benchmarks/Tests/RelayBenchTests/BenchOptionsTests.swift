import ArgumentParser
import Testing

@testable import RelayBench
@testable import StreamProxy

@Suite struct BenchOptionsTests {
  private func complaint(_ arguments: [String]) -> String? {
    do {
      _ = try BenchProgram.parseAsRoot(arguments + ["--proxy", "p", "--call-counter", "c"])
      return nil
    } catch {
      return BenchProgram.message(for: error)
    }
  }

  @Test func measuringNotAtAllIsRefused() {
    for command in [["compare"], ["floor"], ["counts", "--limits", "l"]] {
      #expect(complaint(command + ["--repeats", "0"]) == "--repeats takes a number from 1 to 100.")
    }
    #expect(complaint(["floor", "--repeats", "1"]) == nil)
  }

  @Test func aShareOfDeadPagesThatIsNotMeasuredIsRefused() {
    #expect(complaint(["compare", "--dead", "42"]) == "--dead takes any of 0, 50, 90, 99.")
    #expect(complaint(["compare", "--dead", "90", "42"]) == "--dead takes any of 0, 50, 90, 99.")
    #expect(complaint(["compare", "--dead", "0", "99"]) == nil)
  }

  @Test func theSinksReceiveBufferIsTheProxys() {
    #expect(Int(SinkCommand.boundedBuffer) == BytesInFlight.smallestBuffer)
  }
}
