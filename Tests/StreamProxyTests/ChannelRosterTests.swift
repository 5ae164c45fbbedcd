import Testing

@testable import StreamProxy

@Suite("Telling channels apart")
struct ChannelRosterTests {
  @Test(
    "First bytes",
    arguments: [
      ([0x51, 0x45, 0x56, 0x4d] as [UInt8], ChannelKind.main),
      ([0x11, 0x22, 0x33, 0x44], .multifd),
      ([0x16, 0x03, 0x01, 0x02], .encrypted),
      ([0x08, 0x00, 0x0a, 0x00], .recovery),
      ([0x08, 0x00, 0x09, 0x00], .recovery),
      ([0x08, 0x00, 0x03, 0x00], .other),
      ([0x00, 0x00, 0x00, 0x00], .pageRecord),
      ([0x00, 0x00, 0x7f, 0x80], .pageRecord),
      ([0x47, 0x45, 0x54, 0x20], .other),
    ])
  func firstBytes(_ bytes: [UInt8], _ kind: ChannelKind) {
    #expect(ChannelKind(firstBytes: bytes) == kind)
  }

  /// Lets everyone who may dial do so, until nobody may any more; in which order they did.
  private func settle(_ roster: inout ChannelRoster, _ ids: [Int]) -> [ChannelRole] {
    var dialled: [ChannelRole] = []
    var changed = true
    while changed {
      changed = false
      for id in ids {
        switch roster.decision(for: id) {
        case .dial(let role):
          roster.dialling(id, as: role)
          roster.established(id)
          dialled.append(role)
        case .reserve:
          roster.reserving()
          roster.reserved(true)
          dialled.append(.preempt)
        case .refuse, nil: continue
        }
        changed = true
      }
    }
    return dialled
  }

  @Test("Whatever the order of arrival, the main channel is dialled first and preempt last")
  func anyOrder() {
    let kinds: [ChannelKind?] = [.main, .multifd, .multifd, nil]
    for order in permutations(Array(kinds.indices)) {
      var roster = ChannelRoster()
      roster.expects(.init(multifd: 2, preempt: true))
      var ids: [Int] = []
      var dialled: [ChannelRole] = []
      // QEMU makes its preempt channel after the main one, whatever is made after that.
      let isPreempt = order.firstIndex(of: 0)! < order.firstIndex(of: 3)!
      for index in order {
        let id = roster.accepted()
        ids.append(id)
        if let kind = kinds[index] { roster.spoke(id, as: kind) }
        dialled += settle(&roster, ids)
      }
      #expect(dialled == [.main, .multifd, .multifd] + (isPreempt ? [.preempt] : []))
    }
  }

  @Test("A silent stranger from before the main channel never becomes the preempt channel")
  func silentStrangerBeforeMain() {
    var roster = ChannelRoster()
    let stranger = roster.accepted()
    let main = roster.accepted()
    roster.expects(.init(multifd: 0, preempt: true))
    roster.spoke(main, as: .main)
    #expect(settle(&roster, [stranger, main]) == [.main])
    #expect(roster.decision(for: stranger) == nil)
    let preempt = roster.accepted()
    #expect(settle(&roster, [stranger, main, preempt]) == [.preempt])
    #expect(roster.decision(for: stranger) == nil)
    // Nor does it by what it says.
    roster.spoke(stranger, as: .pageRecord)
    guard case .refuse = roster.decision(for: stranger) else {
      Issue.record("a connection from before the main one passed for the preempt channel")
      return
    }
  }

  @Test("Of the silent connections after the main one the first that speaks is the preempt channel")
  func silentStrangerAfterMain() {
    for speaker in 1...2 {
      var roster = ChannelRoster()
      roster.expects(.init(multifd: 0, preempt: true))
      let ids = [roster.accepted(), roster.accepted(), roster.accepted()]
      roster.spoke(ids[0], as: .main)
      // The destination is given one, and no other.
      #expect(settle(&roster, ids) == [.main, .preempt])
      roster.spoke(ids[speaker], as: .pageRecord)
      #expect(settle(&roster, ids) == [.preempt])
      roster.ended(ids[3 - speaker])
      #expect(roster.establishedRoles == [.main, .preempt])
    }
  }

  @Test("After the preempt channel's end nobody takes its place before the main one's")
  func silentStrangerAfterPreempt() {
    var roster = ChannelRoster()
    roster.expects(.init(multifd: 0, preempt: true))
    let ids = [roster.accepted(), roster.accepted(), roster.accepted()]
    roster.spoke(ids[0], as: .main)
    #expect(settle(&roster, ids) == [.main, .preempt])
    roster.spoke(ids[1], as: .pageRecord)
    #expect(settle(&roster, ids) == [.preempt])
    roster.ended(ids[1])
    #expect(settle(&roster, ids).isEmpty)
    roster.spoke(ids[2], as: .pageRecord)
    #expect(settle(&roster, ids).isEmpty)
    roster.ending(ids[0])
    roster.ended(ids[0])
    let recovery = roster.accepted()
    roster.spoke(recovery, as: .recovery)
    #expect(settle(&roster, ids + [recovery]) == [.opaqueMain(.recovery)])
    #expect(settle(&roster, ids + [roster.accepted()]) == [.preempt])
  }

  @Test("A preempt channel that cannot be dialled once it speaks leaves its place to another")
  func failedDial() {
    var roster = ChannelRoster()
    roster.expects(.init(multifd: 0, preempt: true))
    let ids = [roster.accepted(), roster.accepted(), roster.accepted()]
    roster.spoke(ids[0], as: .main)
    #expect(settle(&roster, [ids[0]]) == [.main])
    roster.spoke(ids[1], as: .pageRecord)
    #expect(roster.decision(for: ids[1]) == .dial(.preempt))
    roster.dialling(ids[1], as: .preempt)
    #expect(roster.decision(for: ids[2]) == nil)
    roster.ended(ids[1])
    #expect(roster.decision(for: ids[2]) == .reserve)
  }

  @Test("A preempt channel that cannot be dialled is tried again, and waited for meanwhile")
  func reservation() {
    var roster = ChannelRoster()
    roster.expects(.init(multifd: 0, preempt: true))
    let ids = [roster.accepted(), roster.accepted(), roster.accepted()]
    roster.spoke(ids[0], as: .main)
    roster.dialling(ids[0], as: .main)
    roster.established(ids[0])
    #expect(roster.decision(for: ids[1]) == .reserve)
    roster.reserving()
    #expect(roster.decision(for: ids[2]) == nil)
    roster.spoke(ids[1], as: .pageRecord)
    #expect(roster.decision(for: ids[1]) == nil)
    roster.reserved(false)
    #expect(roster.decision(for: ids[2]) == .reserve)
    #expect(roster.decision(for: ids[1]) == .dial(.preempt))
  }

  @Test("A silent connection waits without end where no preempt channel is announced")
  func silentWithoutPreempt() {
    var roster = ChannelRoster()
    let early = roster.accepted()
    let main = roster.accepted()
    roster.expects(.init())
    roster.spoke(main, as: .main)
    #expect(settle(&roster, [early, main]) == [.main])
    #expect(roster.decision(for: early) == nil)
  }

  @Test("A connection that libvirt opened early is the main one once it speaks")
  func earlySilentMain() {
    var roster = ChannelRoster()
    roster.expects(.init(multifd: 0, preempt: true))
    let early = roster.accepted()
    #expect(roster.decision(for: early) == nil)
    roster.spoke(early, as: .main)
    #expect(roster.decision(for: early) == .dial(.main))
  }

  @Test("The first encrypted connection is the main one, the others wait for it")
  func encrypted() {
    var roster = ChannelRoster()
    let ids = [roster.accepted(), roster.accepted()]
    roster.expects(.init(multifd: 1))
    for id in ids { roster.spoke(id, as: .encrypted) }
    #expect(roster.decision(for: ids[0]) == .dial(.opaqueMain(.encrypted)))
    roster.dialling(ids[0], as: .opaqueMain(.encrypted))
    #expect(roster.decision(for: ids[1]) == nil)
    roster.established(ids[0])
    #expect(roster.decision(for: ids[1]) == .dial(.encrypted))
  }

  @Test("Behind an encrypted main channel silence is no preempt channel's")
  func silenceAfterEncryption() {
    var roster = ChannelRoster()
    roster.expects(.init(preempt: true))
    let (main, other) = (roster.accepted(), roster.accepted())
    roster.spoke(main, as: .encrypted)
    #expect(settle(&roster, [main, other]) == [.opaqueMain(.encrypted)])
    #expect(roster.decision(for: other) == nil)
    roster.spoke(other, as: .encrypted)
    #expect(settle(&roster, [main, other]) == [.encrypted])
  }

  @Test("A recovery takes the place of a main channel that has ended, with a preempt channel too")
  func recovery() {
    var roster = ChannelRoster()
    roster.expects(.init(multifd: 0, preempt: true))
    let first = [roster.accepted(), roster.accepted()]
    roster.spoke(first[0], as: .main)
    #expect(settle(&roster, first) == [.main, .preempt])
    roster.ending(first[0])
    roster.ended(first[1])
    let early = roster.accepted()
    #expect(settle(&roster, [early]).isEmpty)
    roster.ended(early)
    roster.ended(first[0])
    let second = [roster.accepted(), roster.accepted()]
    #expect(settle(&roster, second).isEmpty)
    roster.spoke(second[0], as: .recovery)
    #expect(settle(&roster, second) == [.opaqueMain(.recovery), .preempt])
  }

  @Test("A second main channel and whatever comes after the end are refused")
  func refusals() {
    var roster = ChannelRoster()
    roster.expects(.init())
    let ids = [roster.accepted(), roster.accepted(), roster.accepted()]
    roster.spoke(ids[0], as: .main)
    #expect(settle(&roster, ids) == [.main])
    roster.spoke(ids[1], as: .main)
    guard case .refuse = roster.decision(for: ids[1]) else {
      Issue.record("a second main channel was not refused")
      return
    }
    roster.close()
    guard case .refuse = roster.decision(for: ids[2]) else {
      Issue.record("a connection after the end was not refused")
      return
    }
  }

  @Test("What begins no channel is refused, unless it may be a preempt channel after the main one")
  func strangers() {
    let refused = { (roster: ChannelRoster, id: Int) in
      if case .refuse = roster.decision(for: id) { true } else { false }
    }
    for preempt in [false, true] {
      var roster = ChannelRoster()
      let first = roster.accepted()
      roster.spoke(first, as: .pageRecord)
      #expect(refused(roster, first))
      roster.ended(first)
      let main = roster.accepted()
      let second = roster.accepted()
      roster.spoke(main, as: .main)
      #expect(settle(&roster, [main]) == [.main])
      roster.spoke(second, as: .pageRecord)
      // Before the settings are known it may be either.
      #expect(roster.decision(for: second) == nil)
      roster.expects(.init(multifd: 0, preempt: preempt))
      #expect(refused(roster, second) == !preempt)
      guard preempt else { continue }
      #expect(settle(&roster, [second]) == [.preempt])
      let third = roster.accepted()
      roster.spoke(third, as: .pageRecord)
      #expect(roster.decision(for: third) == nil)
      // Beside a main channel that is not encrypted nothing is.
      for kind in [ChannelKind.other, .encrypted] {
        let another = roster.accepted()
        roster.spoke(another, as: kind)
        #expect(refused(roster, another))
      }
    }
  }

  @Test("More multifd channels than the settings announce are refused", arguments: [0, 2])
  func surplusMultifd(announced: Int) {
    var roster = ChannelRoster()
    let ids = (0...announced + 1).map { _ in roster.accepted() }
    roster.spoke(ids[0], as: .main)
    for id in ids[1...] { roster.spoke(id, as: .multifd) }
    roster.expects(.init(multifd: announced))
    let multifd = Array(repeating: ChannelRole.multifd, count: announced)
    #expect(settle(&roster, ids) == [ChannelRole.main] + multifd)
    guard case .refuse = roster.decision(for: ids[announced + 1]) else {
      Issue.record("one more than \(announced) multifd channels was not refused")
      return
    }
  }

  @Test("A multifd channel is dialled where the source could not be asked")
  func unannouncedMultifd() {
    var roster = ChannelRoster()
    let ids = [roster.accepted(), roster.accepted()]
    roster.spoke(ids[0], as: .main)
    roster.spoke(ids[1], as: .multifd)
    roster.expects(.unknown)
    #expect(settle(&roster, ids) == [.main, .multifd])
  }

  @Test("A connection that was made before the main one is known")
  func precedence() {
    var roster = ChannelRoster()
    let (before, main, after) = (roster.accepted(), roster.accepted(), roster.accepted())
    #expect(!roster.precedesMain(before))
    roster.spoke(main, as: .main)
    #expect(settle(&roster, [before, main, after]) == [.main])
    #expect(roster.precedesMain(before) && !roster.precedesMain(after))
  }

  @Test("A recovery's preempt channel does not wait for multifd channels, which do not come back")
  func recoveryWithoutMultifd() {
    var roster = ChannelRoster()
    roster.expects(.init(multifd: 2, preempt: true))
    let (main, preempt) = (roster.accepted(), roster.accepted())
    roster.spoke(main, as: .recovery)
    #expect(settle(&roster, [main, preempt]) == [.opaqueMain(.recovery), .preempt])
  }

  private func permutations(_ items: [Int]) -> [[Int]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { index -> [[Int]] in
      var rest = items
      let item = rest.remove(at: index)
      return permutations(rest).map { [item] + $0 }
    }
  }
}
