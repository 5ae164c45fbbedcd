import Testing

@testable import EvaluationReport

@Suite("Axes")
struct ScaleTests {
  @Test(
    "an axis ends at a round value that is not below the highest",
    arguments: [0.7, 1, 9.25, 99, 1003])
  func covers(_ highest: Double) {
    let scale = Scale(.linear, covering: [0.1, highest], from: 0, to: 100)
    #expect(scale.low == 0)
    #expect(scale.high >= highest && scale.high < highest * 1.5)
    #expect((4...10).contains(scale.ticks.count))
    #expect(scale.ticks.first == 0)
    #expect(abs(scale.ticks.last! - scale.high) < 1e-9 * highest)
  }

  @Test("values lie in proportion, and those beyond an end lie at it")
  func places() {
    let scale = Scale(.linear, covering: [10], from: 300, to: 100)
    #expect(scale.place(0) == 300)
    #expect(scale.place(5) == 200)
    #expect(scale.place(10) == 100)
    #expect(scale.place(11) == 100)
    #expect(scale.place(-1) == 300)
  }

  @Test("times before an event lie on an axis that begins before it")
  func begins() {
    let scale = Scale(.linear, covering: [-38, 60], from: 0, to: 100, beginning: -38)
    #expect(scale.low <= -38 && scale.low > -60)
    #expect(scale.ticks.contains { abs($0) < 1e-9 })
    #expect(scale.place(-38) >= 0 && scale.place(-38) < scale.place(0))
  }

  @Test("decades are equally long, and what has no logarithm lies at the low end")
  func decades() {
    let scale = Scale(.logarithmic, covering: [0, 3, 4000], from: 0, to: 400)
    #expect(scale.ticks == [1, 10, 100, 1000, 10_000])
    #expect(abs(scale.place(100) - 200) < 1e-9)
    #expect(scale.place(0) == 0)
  }

  @Test("ticks have as many digits as their step needs")
  func texts() {
    let fine = Scale(.linear, covering: [0.7], from: 0, to: 1)
    #expect(Set(fine.ticks.map(fine.text)).count == fine.ticks.count)
    #expect(fine.ticks.map(fine.text).contains("0.2"))
    let coarse = Scale(.linear, covering: [1000], from: 0, to: 1)
    #expect(coarse.ticks.map(coarse.text).allSatisfy { !$0.contains(".") })
  }
}
