import LeafManifest
import Testing

@testable import WiredTigerExtension

/// What is in a cache, together with what an earlier migration still owes it.
struct OwedLeavesTests {
  private func table(_ name: Int, _ offsets: [UInt64], creation: UInt64 = 1) -> LeafManifest.Table {
    var leaves = LeafList()
    for offset in offsets { leaves.append(offset: offset, size: 4096, key: "\(offset)".utf8) }
    return LeafManifest.Table(uri: "file:\(name).wt", creation: creation, leaves: leaves)
  }

  @Test func eachTableHasItsOwnLeavesOnceAndInTheirOrder() {
    let resident = [table(1, [4096, 12288]), table(2, [4096])]
    let owed = [table(2, [8192, 4096]), table(3, [4096]), table(1, [8192]), table(3, [8192])]
    let expected = [
      table(1, [4096, 8192, 12288]), table(2, [4096, 8192]), table(3, [4096, 8192]),
    ]
    #expect(resident.united(with: owed, unless: { false }) == expected)
    #expect(resident.united(with: [], unless: { false }) == resident)
    #expect([].united(with: resident, unless: { false }) == resident)
  }

  @Test func aTableOfTheSameNameThatWasMadeAnewIsAnother() {
    let (old, new) = (table(1, [4096], creation: 1), table(1, [8192], creation: 2))
    #expect([new].united(with: [old], unless: { false }) == [new, old])
  }

  /// A leaf that was written anew lies elsewhere.
  @Test func aLeafIsKnownByItsKey() {
    var (now, before) = (LeafList(), LeafList())
    now.append(offset: 8192, size: 4096, key: [1])
    before.append(offset: 4096, size: 4096, key: [1])
    #expect(now.united(with: before, unless: { false }) == now)
  }

  /// Each with each of them would be 400 million comparisons of names, minutes in which the database holds
  /// nothing and answers nobody.
  @Test func twentyThousandTablesTakeNoTimeWorthMentioning() {
    let resident = (0..<20_000).map { table($0, [4096]) }
    let owed = (0..<20_000).reversed().map { table($0, [8192]) }
    let clock = ContinuousClock()
    var united: [LeafManifest.Table]?
    let taken = clock.measure { united = resident.united(with: owed, unless: { false }) }
    #expect(united?.count == 20_000)
    #expect(united?.allSatisfy { $0.leaves.offsets == [4096, 8192] } == true)
    #expect(taken < .seconds(10))
  }

  @Test func nobodyWaitsForItsEndWhenItIsOver() {
    let resident = (0..<3).map { table($0, [4096]) }
    var looks = 0
    let united = resident.united(with: resident) {
      looks += 1
      return looks > 1
    }
    #expect(united == nil && looks == 2)
    // In a table with many leaves, too.
    let many = table(1, (0..<20_000).map { UInt64($0) * 4096 }).leaves
    looks = 0
    let none = many.united(with: table(1, [1]).leaves) {
      looks += 1
      return looks > 2
    }
    #expect(none == nil && looks == 3)
  }
}
