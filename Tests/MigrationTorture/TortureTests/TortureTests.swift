import Foundation
import Testing

@testable import leafcutter_torture

struct RoundPlanTests {
  @Test func theSameSeedAndNumberGiveTheSameRound() {
    for number in 1...50 {
      #expect(RoundPlan(seed: 7, number: number) == RoundPlan(seed: 7, number: number))
    }
    let one = (1...50).map { RoundPlan(seed: 1, number: $0).fault }
    let two = (1...50).map { RoundPlan(seed: 2, number: $0).fault }
    #expect(one != two)
  }

  /// Written down, so that a seed of a report means the same in a later version.
  @Test func aSeedMeansTheSameForEver() {
    var random = Random(seed: 1)
    #expect(random.next() == 0x910a_2dec_8902_5cc1)
  }

  @Test func everyFaultComesOnceInAsManyRoundsAsThereAreFaults() {
    let count = Fault.allCases.count
    for turn in 0..<20 {
      let faults = (1...count).map { RoundPlan(seed: 3, number: turn * count + $0).fault }
      #expect(Set(faults) == Set(Fault.allCases))
    }
  }

  @Test func aShareOfTheRoundsIsSwitchedToPostcopyWhereTheGuestSurvivesThat() {
    let plans = (1...600).map { RoundPlan(seed: 1, number: $0) }
    let postcopy = plans.filter { $0.postcopyBytesLeft != nil }
    #expect((60...140).contains(postcopy.count))
    #expect(postcopy.allSatisfy { $0.fault.fitsPostcopy && !$0.isPlain })
    #expect(postcopy.contains { $0.fault == .stallLink && $0.stall == RoundPlan.longStall })
    #expect(Set(plans.map(\.lie)) == Set(HookLie.allCases))
  }

  @Test func aShareOfTheRoundsIsPlain() {
    let plans = (1...600).map { RoundPlan(seed: 1, number: $0) }
    let plain = plans.filter(\.isPlain)
    #expect((60...140).contains(plain.count))
    #expect(plain.allSatisfy { $0.fault.fitsPlain })
    #expect(plans.contains { $0.stall == RoundPlan.longStall })
    #expect(plans.allSatisfy { (0..<1.1).contains($0.moment) && $0.bytesLeft > 0 })
  }
}

struct TallyTests {
  @Test func theFileNamesEveryKindOfFaultAndEveryTally() throws {
    var tally = Tally()
    tally.rounds = 3
    tally.faults = [.killProxy: 2, .none: 1]
    tally.add(.badDocuments(4))
    tally.add(.corruptedPages(5))
    tally.add(.hang("it does not end"))
    tally.add(.guestLost("it is nowhere"))
    tally.add(.needlessFailure("no reason"))
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(
      "torture-\(UUID().uuidString).json"
    ).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try tally.write(toFile: path, seed: 9)
    let data = try #require(FileManager.default.contents(atPath: path))
    let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let faults = try #require(object["faults"] as? [String: Int])
    #expect(faults.count == Fault.allCases.count)
    #expect(faults["lying hook"] == 0)
    #expect(faults["kill proxy"] == 2 && faults["none"] == 1 && faults["panic"] == 0)
    #expect(object["rounds"] as? Int == 3 && object["seed"] as? Int == 9)
    #expect(object["corrupted_pages"] as? Int == 5 && object["bad_documents"] as? Int == 4)
    #expect(object["hangs"] as? Int == 1 && object["guests_lost"] as? Int == 1)
    #expect(object["needless_failures"] as? Int == 1)
  }

  @Test func anythingLostIsNotClean() {
    #expect(Tally().isClean)
    for incident: Incident in [
      .hang(""), .guestLost(""), .badDocuments(1), .corruptedPages(1), .needlessFailure(""),
    ] {
      var tally = Tally()
      tally.add(incident)
      #expect(!tally.isClean)
    }
  }
}
