import CGuestSystem
import Glibc
import HookLink
import Testing

@testable import Guardian

/// Whoever may connect to the guardian's socket can say what he likes, and the guardian is root.
@Suite(.serialized)
struct LyingDatabaseTests {
  struct Lie: Sendable {
    var pieces: [LocalMessage.AddressRange]
    var leaves: UInt64
  }

  private static let lies = [
    Lie(
      pieces: [.init(address: 1 << 63, length: 1 << 63), .init(address: 0, length: 1 << 63)],
      leaves: 0),
    Lie(pieces: [.init(address: 4096, length: 4096)], leaves: .max),
  ]

  @Test(
    "numbers that nothing can have cost their sender the connection",
    arguments: lies)
  func impossibleNumbers(lie: Lie) throws {
    let fixture = try GuardianFixture()
    let liars = [try fixture.database(), try fixture.database()]
    fixture.proxy.prepare(.random())
    for liar in liars {
      guard case .prepare? = liar.awaitMessage() else {
        Issue.record("nobody is asked")
        return
      }
      let ring = Descriptor(owning: ownRing())
      liar.link.send(
        LocalMessage.HeldMemory(ring: ring.number, pieces: lie.pieces), for: liar.migration)
      liar.link.send(
        LocalMessage.Prepared(
          leavesListed: lie.leaves, leavesInManifest: lie.leaves, leavesEvicted: lie.leaves,
          steps: [], notes: []), for: liar.migration)
      guard case .failed(let failure)? = liar.awaitMessage() else {
        Issue.record("nothing is refused")
        return
      }
      #expect(failure.reason.contains("out of range"))
    }
    let report = try #require(fixture.proxy.awaitReport())
    #expect(report.pages == 0 && report.leavesListed == 0)
    #expect(report.notes.contains { $0.contains("went away while it prepared") })
  }

  @Test("what is no ring holds nothing, and nothing of it is reported")
  func anotherDescriptor() throws {
    let fixture = try GuardianFixture()
    let liar = try fixture.database()
    fixture.proxy.prepare(.random())
    guard case .prepare? = liar.awaitMessage() else {
      Issue.record("nobody is asked")
      return
    }
    let bytes = 1 << 20
    let memory = try unsafe #require(leafcutter_guest_populated_memory(bytes))
    // Mapped here, once.
    defer { unsafe munmap(memory, bytes) }
    let file = try Descriptor(opening: "/dev/null")
    let piece = LocalMessage.AddressRange(
      address: UInt64(UInt(bitPattern: memory)), length: UInt64(bytes))
    liar.link.send(
      LocalMessage.HeldMemory(ring: file.number, pieces: [piece]), for: liar.migration)
    liar.link.send(
      LocalMessage.Prepared(
        leavesListed: 3, leavesInManifest: 2, leavesEvicted: 1, steps: [], notes: []),
      for: liar.migration)
    let report = try #require(fixture.proxy.awaitReport())
    #expect(report.pages == 0 && report.probes == [])
    #expect(report.notes.contains { $0.contains("its frames are not reported") })
    guard case .release? = liar.awaitMessage() else {
      Issue.record("it is not told to let go")
      return
    }
  }

  /// A ring that pins a page of nobody's.
  private func ownRing() -> Int32 {
    // One page, which stays until the process ends.
    unsafe leafcutter_guest_populated_memory(4096).map { unsafe leafcutter_guest_pin($0, 4096) }
      ?? -1
  }
}
