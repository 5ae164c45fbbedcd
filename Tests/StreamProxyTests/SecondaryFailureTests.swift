import Testing

@testable import StreamProxy

struct SecondaryFailureTests {
  private let first = ChannelFailure.channelEnded("first")
  private let later = ChannelFailure.channelEnded("later")

  @Test func theFirstExplainsTheOthers() {
    let failure = SecondaryFailure()
    failure.note(first)
    failure.note(later, of: failure.connections)
    #expect(failure.first.map { "\($0)" } == "\(first)")
  }

  @Test func whatEndsAConnectionThatBrokeSaysNothingOfItsRecovery() {
    let failure = SecondaryFailure()
    let broken = failure.connections
    failure.note(first, of: broken)
    failure.forget()
    failure.note(later, of: broken)
    #expect(failure.first == nil)
    failure.note(later, of: failure.connections)
    #expect(failure.first != nil)
  }
}
