import EvaluationReport
import Lab
import Testing

@testable import leafcutter_evaluation

@Suite("When a migration is switched to post-copy")
struct PostcopySwitchTests {
  @Test("after one pass: when the dirty log is read for the second time")
  func pass() {
    let moment = Method.PostcopySwitch.afterOnePass
    #expect(!moment.isDue(dirtySyncs: 1, secondsOfPages: 60))
    #expect(moment.isDue(dirtySyncs: 2, secondsOfPages: nil))
  }

  @Test("after a second in which pages flow: not before the first of them")
  func second() {
    let moment = Method.PostcopySwitch.afterOneSecond
    #expect(!moment.isDue(dirtySyncs: 5, secondsOfPages: nil))
    #expect(!moment.isDue(dirtySyncs: 1, secondsOfPages: 0.9))
    #expect(moment.isDue(dirtySyncs: 1, secondsOfPages: 1.1))
  }
}
