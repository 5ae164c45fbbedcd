import Testing

@testable import EvaluationReport

@Suite("Goals")
struct GoalTests {
  private func line(_ name: String, _ runs: [Run]) throws -> String {
    let goal = try #require(Goal.all.first { $0.name.contains(name) })
    return goal.line(in: .sample(runs))
  }

  @Test("a goal is met at its limit, missed beyond it, and not measured without runs")
  func verdicts() throws {
    let ideal = Run.samples(.ideal, 2, 2, 2)
    #expect(try line("ideal", []).hasSuffix("not measured"))
    #expect(try line("ideal", ideal + Run.samples(.leafcutter, 2.3, 2.2, 9)).hasSuffix("; met"))
    #expect(try line("ideal", ideal + Run.samples(.leafcutter, 2.4, 2.4, 2)).hasSuffix("; missed"))
    let elsewhere = [
      Run.sample(.leafcutter, 2, link: "10gbit"), Run.sample(.ideal, 2, share: 25),
    ]
    #expect(try line("ideal", elsewhere).hasSuffix("not measured"))
  }

  @Test("fewer than three runs on a side show their ratio and are no verdict")
  func tooFew() throws {
    let few = Run.samples(.ideal, 2, 2, 2) + Run.samples(.leafcutter, 2, 2)
    #expect(try line("ideal", few).contains("measured 1.00 "))
    #expect(try line("ideal", few).hasSuffix("; too few runs"))
    #expect(
      try line("ideal", few + [.sample(.leafcutter, 2, repetition: 3)]).hasSuffix("; met"))
    let disturbed = Run.sample(.leafcutter, 2, repetition: 3).with(.otherPrograms, 1)
    #expect(try line("ideal", few + [disturbed]).hasSuffix("; too few runs"))
    let unconverged = Run.sample(.leafcutter, 2, repetition: 3).with(.converged, 0)
    #expect(try line("ideal", few + [unconverged]).hasSuffix("; too few runs"))
    let rivals = Run.samples(.precopy, 9, 9) + Run.samples(.leafcutter, 2, 2, 2)
    #expect(try line("any rival at 1 Gbit/s", rivals).hasSuffix("; too few runs"))
    let services = [Method.leafcutter, .leafcutterNoRefault].flatMap { method in
      (1...2).map { Run.sampleOfService(method, secondsTo90: 5, repetition: $0) }
    }
    #expect(try line("time to 90 %", services).hasSuffix("; too few runs"))
  }

  @Test("disturbed runs give a goal its figure where there are no others, and never a verdict")
  func disturbed() throws {
    let ideal = Run.samples(.ideal, 2, 2, 2)
    let disturbed = Run.samples(.leafcutter, 4, 4, 4).map { $0.with(.otherPrograms, 1) }
    #expect(try line("ideal", ideal + disturbed).contains("measured 2.00 (4.00 s, 2.00 s)"))
    #expect(try line("ideal", ideal + disturbed).hasSuffix("; other programs ran beside it"))
    let one = [Run.sample(.leafcutter, 2, repetition: 4)]
    #expect(try line("ideal", ideal + disturbed + one).contains("measured 1.00 (2.00 s, 2.00 s)"))
  }

  @Test("pairs are formed within a repetition, and medians over all runs")
  func pairs() throws {
    let runs = Run.samples(.precopy, 10, 30, 20) + Run.samples(.leafcutter, 5, 10, 20, 40)
    // 20 to 15; 10 to 5, 30 to 10, 20 to 20.
    #expect(
      try line("pre-copy's", runs).contains("1.33 (20.00 s, 15.00 s); pairs 2.00 (1.00–3.00), n=3"))
    let apart = [Run.sample(.precopy, 1, repetition: 1), .sample(.leafcutter, 1, repetition: 2)]
    #expect(try line("pre-copy's", apart).contains("no pairs"))
  }

  @Test("runs of different sessions are no pair")
  func sessions() throws {
    func session(_ day: Int) -> Run.Session { .init(began: "2026-11-2\(day)", commit: nil) }
    var earlier = Run.samples(.precopy, 10, 30, 20)
    for index in earlier.indices { earlier[index].session = session(1) }
    var later = Run.samples(.leafcutter, 5, 10, 20)
    for index in later.indices { later[index].session = session(2) }
    #expect(try line("pre-copy's", earlier + later).contains("; no pairs"))
    later[2].session = session(1)
    #expect(try line("pre-copy's", earlier + later).contains("; pairs 1.00, n=1; "))
  }

  @Test("a repetition that was measured again pairs by its last run")
  func measuredAgain() throws {
    let runs = [
      Run.sample(.leafcutter, 1), .sample(.leafcutter, 4), .sample(.precopy, 12),
    ]
    let ratio = try #require(Ratio(runs.of(.precopy), to: runs.of(.leafcutter)) { $0[.total] })
    #expect(ratio.pairs?.values == [3])
  }

  @Test("plain Leafcutter is compared with the fastest rival; its other ways stand beside it")
  func rivals() throws {
    let runs =
      Run.samples(.ideal, 1, 1, 1) + Run.samples(.precopy, 9, 9, 9)
      + Run.samples(.balloon, 4, 4, 4) + Run.samples(.leafcutter, 4.2, 4.2, 4.2)
    #expect(try line("any rival at 1 Gbit/s", runs).hasSuffix("; missed"))
    let all = runs + Run.samples(.leafcutterMultifd, 3.9, 3.9, 3.9)
    let text = try line("any rival at 1 Gbit/s", all)
    #expect(text.hasSuffix("; missed"))
    #expect(text.contains("1.05 (4.20 s, drop caches, balloon: 4.00 s)"))
    #expect(text.contains("[Leafcutter, multifd 4: 3.90 s]"))
    #expect(try line("any rival at 10 Gbit/s", all).hasSuffix("not measured"))
  }

  @Test("where 90 % were not reached, the time counts for which it was observed")
  func notReached() throws {
    let runs = (1...3).flatMap { repetition in
      [
        Run.sampleOfService(.leafcutter, secondsTo90: 15, repetition: repetition),
        .sampleOfService(.leafcutterNoRefault, secondsTo90: nil, repetition: repetition),
      ]
    }
    #expect(
      try line("time to 90 %", runs).contains(
        "measured 0.25 (15.0 s, 60.0 s; back in 3 of 3, 0 of 3)"))
    #expect(try line("time to 90 %", runs).hasSuffix("; met"))
  }
}
