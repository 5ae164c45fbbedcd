import ArgumentParser
import EvaluationReport
import Glibc
import Lab
import Testing

@testable import leafcutter_evaluation

@Suite("Options and what they ask for")
struct OptionsTests {
  private func scope(_ flags: String...) throws -> ScopeOptions { try ScopeOptions.parse(flags) }

  @Test("without options everything is measured, five times")
  func full() throws {
    let plan = Plan(try scope())
    #expect(plan.repetitions == 5 && plan.memory == 2048)
    #expect(plan.points.map(\.share) == [0, 25, 50, 60, 50])
    #expect(plan.points[1].links == ["1gbit", "10gbit"])
    #expect(plan.points[2].links == ["1gbit", "10gbit", "unshaped"])
    // Of these one is for writers, and one for what clients see.
    #expect(
      Set(Method.allCases).subtracting(plan.points[0].methods)
        == [.autoConverge, .leafcutterNoRefault])
    // Minutes each: what the goal compares, and nothing else.
    #expect(plan.points[4].links == ["100mbit"])
    #expect(plan.points[4].methods == [.precopy, .leafcutter, .ideal])
  }

  @Test("the quick form has every method, and what the goals need")
  func quick() throws {
    let plan = Plan(try scope("--quick"))
    #expect(plan.repetitions == 1 && plan.memory == 1024)
    #expect(plan.points.map(\.share) == [50] && plan.points[0].links == ["1gbit", "10gbit"])
    let methods = plan.points[0].methods
    #expect(methods.contains(.leafcutterPostcopy))
    // Time may be over before the last of them.
    #expect(methods.prefix(4) == [.leafcutter, .ideal, .precopy, .postcopy])
    let full = Plan(try scope()).points[0].methods
    #expect(Set(methods) == Set(full) && methods.count == full.count)
  }

  @Test("what is given goes before the form")
  func given() throws {
    let options = try scope(
      "--quick", "--repeat", "3", "--shares", "0,70", "--links", "unshaped", "--methods",
      "pre-copy,leafcutter", "--only", "service,memory")
    let plan = Plan(options)
    #expect(options.only.elements == [.service, .memory])
    #expect(plan.repetitions == 3)
    #expect(
      plan.points
        == [0, 70].map {
          .init(share: $0, links: ["unshaped"], methods: [.precopy, .leafcutter])
        })
  }

  @Test("what QEMU has for busy writers is tried where they write")
  func writers() throws {
    let plan = Plan(try scope())
    #expect(plan.methods(ofMix: "A", keys: "zipfian").contains(.autoConverge))
    #expect(plan.methods(ofMix: "C", keys: "zipfian") == [.precopy, .leafcutter])
    #expect(plan.methods(ofMix: "A", keys: "uniform") == [.precopy, .leafcutter])
    let chosen = Plan(try scope("--methods", "leafcutter"))
    #expect(chosen.methods(ofMix: "A", keys: "zipfian") == [.leafcutter])
  }

  @Test("in a limited time each experiment gets its part, and what the ones before it have left")
  func limit() throws {
    #expect(Plan(try scope()).timeLimit.deadlines([.memory], at: [5]) == [nil])
    let order = Experiment.allCases
    let limit = Plan(try scope("--quick", "--minutes", "17")).timeLimit
    func seconds(_ starts: [Double]) -> [Double?] {
      limit.deadlines(order, at: starts.map { UInt64($0 * 1e9) }).map {
        $0.map { Double($0) / 1e9 }
      }
    }
    #expect(seconds([0, 60, 540, 720]) == [60, 540, 720, 1020])
    // The first takes a minute less, the second all that there is.
    #expect(seconds([0, 0, 1020, 1030]) == [60, 510, 1020, 1030])
    #expect(Plan(try scope("--quick")).timeLimit.deadlines([.memory], at: [0]) != [nil])
  }

  @Test("on the slowest wire clients ask for a tenth")
  func rates() {
    #expect(
      ["100mbit", "1gbit", "unshaped"].map { MethodsExperiment.rate(100, on: $0) } == [
        10, 100, 100,
      ])
    #expect(MethodsExperiment.rate(5, on: "100mbit") == 1)
  }

  @Test("in each repetition another method comes first")
  func rotation() {
    #expect([1, 2, 3].rotated(by: 1) == [2, 3, 1])
    #expect([1, 2, 3].rotated(by: 5) == [3, 1, 2])
    #expect([Int]().rotated(by: 1).isEmpty)
  }

  @Test("nonsense is refused")
  func nonsense() {
    #expect(throws: (any Error).self) { try scope("--methods", "teleport") }
    #expect(throws: (any Error).self) { try scope("--shares", "101") }
    #expect(throws: (any Error).self) { try scope("--repeat", "0") }
    #expect(throws: (any Error).self) { try scope("--only", "") }
    #expect(throws: (any Error).self) { try scope("--memory", "1") }
  }

  @Test("each method has the guest that it needs")
  func variants() {
    let plain = GuestSnapshot.Variant(.precopy, cacheShare: 50)
    #expect(GuestSnapshot.Variant(.leafcutter, cacheShare: 50) == plain)
    #expect(GuestSnapshot.Variant(.balloon, cacheShare: 50) == plain)
    #expect(!GuestSnapshot.Variant(.ideal, cacheShare: 50).isWarm)
    #expect(!GuestSnapshot.Variant(.leafcutterNoRefault, cacheShare: 50).refaults)
    #expect(GuestSnapshot.Variant(.freePageHint, cacheShare: 50).balloon == .freePageHint)
  }

  @Test("the processor time of a busy process grows")
  func processorTime() throws {
    let before = try ProcessorTime.of(getpid())
    let end = HostClock.now + 10_000_000_000
    var now = before
    while now < before + 0.05, HostClock.now < end {
      now = try ProcessorTime.of(getpid())
    }
    #expect(now >= before + 0.05)
    #expect(try ProcessorTime.host() >= now)
    #expect(throws: LabError.self) { try ProcessorTime.of(-1) }
  }
}

extension TimeLimit {
  /// When the experiments have to end that start then.
  fileprivate func deadlines(_ experiments: [Experiment], at starts: [UInt64]) -> [UInt64?] {
    var limit = self
    return zip(experiments, starts).map { limit.deadline(of: $0, now: $1) }
  }
}
