import Testing

@testable import StreamProxy

/// What the channels of one migration agree on.
@Suite(.timeLimit(.minutes(10))) struct EditingSessionTests {
  @Test func aWaitForChannelsThatStallEndsWhenTheSourceHasGone() {
    let session = EditingSession()
    session.joined(1)
    var asked = 0
    let arrived = session.awaitSyncs(1, of: 1) {
      asked += 1
      return asked == 2
    }
    #expect(!arrived && asked == 2)
  }

  @Test func aChannelThatHasArrivedIsNotAskedAbout() {
    let session = EditingSession()
    session.joined(1)
    session.passed(syncs: 2, on: 1)
    #expect(session.awaitSyncs(2, of: 1) { true })
  }

  @Test func nobodyDropsAfterARefusal() {
    let session = EditingSession()
    #expect(session.refuseDropping("unreadable"))
    #expect(!session.claimDropping())
    #expect(!session.hasDropped)
  }

  @Test func aRefusalIsTooLateAfterADropAndNoneIsNeededAfterTheJudgement() {
    let session = EditingSession()
    #expect(session.claimDropping())
    #expect(!session.refuseDropping("unreadable"))
    session.passPointOfNoReturn()
    #expect(session.refuseDropping("unreadable"))
  }

  @Test func thePageSizeIsTheMainChannelsOrTakenForGrantedWhereNobodySaysIt() {
    let told = EditingSession()
    told.learn(pageSize: 16384)
    #expect(told.awaitPageSize() == 16384)
    let opaque = EditingSession()
    opaque.decide(EditingSession.Terms())
    #expect(opaque.awaitPageSize() == 4096)
  }

  @Test func aFailureAndTheGuestsRunningExcludeEachOther() {
    let passed = PointOfNoReturn()
    #expect(passed.pass() && !passed.abandon() && passed.pass())
    let abandoned = PointOfNoReturn()
    abandoned.learn(sourceTakesGuestBack: true)
    #expect(abandoned.abandon() && !abandoned.pass() && !abandoned.refuse())
    #expect(!abandoned.interrupt() && abandoned.abandon())
  }

  @Test func theSwitchoverIsRefusedOnlyWhereTheSourceTakesItsGuestBackAndTheStreamIsRead() {
    let unable = PointOfNoReturn()
    #expect(!unable.canBeRefused && !unable.refuse() && unable.pass())
    let unseen = PointOfNoReturn()
    unseen.learn(sourceTakesGuestBack: true)
    #expect(unseen.loseSight() && !unseen.canBeRefused && !unseen.refuse())
    #expect(unseen.interrupt() && !unseen.pass() && !unseen.loseSight())
    let refused = PointOfNoReturn()
    refused.learn(sourceTakesGuestBack: true)
    #expect(refused.canBeRefused && refused.refuse() && !refused.isInterrupted)
    #expect(!refused.pass() && !refused.interrupt() && !refused.loseSight())
    let stopped = PointOfNoReturn()
    stopped.learn(sourceTakesGuestBack: true)
    #expect(stopped.refuse(forOperator: true) && stopped.isRefused && stopped.isInterrupted)
  }
}
