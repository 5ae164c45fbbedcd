import HookLink
import PageFilter
import Testing

@testable import StreamProxy

/// What follows from a guest's words, without a stream beside them.
struct GuestSessionTests {
  private let migration = MigrationID.random()

  /// A session whose report of pages 256 to 511 and a probe is complete.
  private func reported() throws -> (session: GuestSession, pages: ReportedPages) {
    let blocks = [RAMBlock(name: "pc.ram", usedLength: 5 << 30)]
    let pages = try ReportedPages(map: MemoryFixture.i440fx5G.map(), streamBlocks: blocks)
    var session = GuestSession(migration: migration, pages: pages)
    say(
      GuestMessage.Mark(guestPhysicalAddress: 1 << 21, time: 1, guardianVersion: "a test"),
      in: &session)
    let bitmap = [UInt8](repeating: 0, count: 32) + [UInt8](repeating: 0xff, count: 32)
    say(HeldPages(firstPage: 0, bitmap: bitmap), in: &session)
    say(
      GuestMessage.ReportEnd(
        pages: 256, pagesZeroed: 0, probes: [1 << 20], leavesListed: 0, leavesInManifest: 0,
        leavesEvicted: 0, steps: [], notes: []), in: &session)
    guard case .complete = session.report else {
      Issue.record("the report is \(session.report)")
      return (session, pages)
    }
    pages.prove(0)
    return (session, pages)
  }

  @discardableResult
  private func say(_ message: some Message, in session: inout GuestSession) -> UInt64? {
    var decoder = FrameDecoder()
    decoder.append(message.frame(for: migration))
    guard let frame = try? decoder.next() else { return nil }
    return session.receive(frame, running: 1)?.sequence
  }

  private let over = GuestMessage.Resumed(
    atDestination: false, leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0, steps: [])

  @Test func whoeverIsOverWithoutBeingToldHasBrokenItsWord() throws {
    var (session, pages) = try reported()
    #expect(pages.dead.contains(300, block: 0))
    say(over, in: &session)
    #expect(session.offence?.contains("migration is over") == true)
    #expect(!pages.dead.contains(300, block: 0))
  }

  @Test func whoeverIsOverBecauseItWasToldHasNot() throws {
    var (session, _) = try reported()
    session.abort()
    say(over, in: &session)
    #expect(session.offence == nil && session.resumed == over)
    // Frames that were filled with zeroes may be let go at any time.
    var zeroed = GuestSession(migration: migration, pages: nil)
    say(over, in: &zeroed)
    #expect(zeroed.offence == nil)
  }

  /// What cannot be reported is filled with zeroes, beside what is reported.
  @Test func pagesFilledWithZeroesAreBelievedAsFarAsThereAreAsMany() throws {
    let blocks = [RAMBlock(name: "pc.ram", usedLength: 5 << 30)]
    for asksForReport in [true, false] {
      let pages =
        try asksForReport
        ? ReportedPages(map: MemoryFixture.i440fx5G.map(), streamBlocks: blocks) : nil
      let most = pages?.pageCount ?? 1 << 52
      for (zeroed, isBelieved) in [(2048, true), (most, true), (most + 1, false), (.max, false)] {
        var session = GuestSession(migration: migration, pages: pages)
        say(
          GuestMessage.Mark(guestPhysicalAddress: 1 << 21, time: 1, guardianVersion: "a test"),
          in: &session)
        say(
          GuestMessage.ReportEnd(
            pages: 0, pagesZeroed: zeroed, probes: [], leavesListed: 0, leavesInManifest: 0,
            leavesEvicted: 0, steps: [], notes: []), in: &session)
        if case .complete = session.report {
          #expect(isBelieved, "\(zeroed)")
        } else {
          #expect(!isBelieved, "\(zeroed)")
        }
      }
    }
  }

  @Test func pagesAreTakenBackOneByOneAsFarAsThatTakesNoTime() throws {
    var (session, pages) = try reported()
    let one = [PageRange(first: 300, count: 1)]
    for sequence in 1...10 as ClosedRange<UInt64> {
      #expect(
        say(GuestMessage.Revoke(sequence: sequence, ranges: one), in: &session) == sequence)
    }
    #expect(!pages.dead.contains(300, block: 0) && pages.dead.contains(301, block: 0))
    // As many as there are, again and again, are everything.
    let all = [PageRange(first: 1 << 19, count: pages.pageCount)]
    for sequence in 11...20 as ClosedRange<UInt64> {
      #expect(
        say(GuestMessage.Revoke(sequence: sequence, ranges: all), in: &session) == sequence)
    }
    #expect(!pages.dead.contains(301, block: 0) && session.offence == nil)
  }
}
