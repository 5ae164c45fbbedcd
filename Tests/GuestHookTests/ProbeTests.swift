import Glibc
import HookLink
import Testing

@testable import Guardian

/// Which held frames become probes.
struct ProbeCandidateTests {
  private func candidates(_ frames: some Sequence<UInt64>, in segments: [Range<UInt64>])
    -> (chosen: [UInt64], unknown: Int)
  {
    var candidates = ProbeCandidates(
      segments.map { MemorySegment(start: $0.lowerBound << 12, length: UInt64($0.count) << 12) })
    var unknown = 0
    for frame in frames {
      let place = ProbeCandidates.Place(frame: frame, address: frame << 12 | 1 << 45, database: 0)
      if !candidates.add(place) { unknown += 1 }
    }
    #expect(candidates.chosen.allSatisfy { $0.address == $0.frame << 12 | 1 << 45 })
    return (candidates.chosen.map(\.frame), unknown)
  }

  @Test("the lowest frame of each segment is one, wherever it comes")
  func lowest() {
    let frames: [UInt64] = [900, 5000, 800, 7000, 5001, 850, 300]
    let segments: [Range<UInt64>] = [256..<1000, 2000..<3000, 5000..<8000]
    let (chosen, unknown) = candidates(frames, in: segments)
    #expect(chosen == [300, 5000] && unknown == 0)
  }

  @Test("frames at the edges belong to their segment, and those between to none")
  func edges() {
    let (chosen, unknown) = candidates(
      [999, 1000, 1999, 2000, 2999, 3000, .max >> 12], in: [500..<1000, 2000..<3000])
    #expect(chosen == [999, 2000] && unknown == 4)
    #expect(candidates([1, 2], in: []).unknown == 2)
  }

  @Test("wherever QEMU has come to, a probe lies not much more than twice as far")
  func ladder() {
    // In no order, as an allocator gives them back.
    let frames = (0..<200_000).map { UInt64(1000 + $0 * 77_777 % 200_003) }
    let (chosen, unknown) = candidates(frames, in: [256..<1 << 20])
    #expect(unknown == 0 && chosen.count == 8 && chosen == chosen.sorted())
    #expect(chosen[0] == frames.min())
    #expect(chosen[1] < 4000)
    for (one, next) in zip(chosen.dropFirst(), chosen.dropFirst(2)) { #expect(next < 3 * one) }
  }

  @Test("their number is limited however many segments there are")
  func limit() {
    let segments = (0..<UInt64(512)).map { $0 * 8192..<($0 + 1) * 8192 }
    let (chosen, _) = candidates(0..<512 * 8192, in: segments)
    #expect(chosen.count <= GuestMessage.ReportEnd.maximumProbes)
    #expect(Set(chosen.map { $0 / 8192 }).count == 512)
  }
}

/// The guardian as a process: probes in the segments that the host names, and zeroes instead.
@Suite(.serialized)
struct ProbeAndZeroTests {
  @Test("nothing that lies outside the segments is reported")
  func outside() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    fixture.proxy.prepare(.random(), segments: [])
    #expect(database.holdWhenAsked())
    let first = try #require(fixture.proxy.awaitReport())
    #expect(first.pages == 0 && first.probes == [])
    #expect(first.notes.contains { $0.contains("2048 held pages") })
    #expect(fixture.proxy.reportedPages == [])
  }

  @Test("each segment that holds frames has a probe, its lowest frame among them")
  func segments() throws {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    // So many that this machine's memory lies in several of them.
    let size: UInt64 = 128 << 20
    let segments =
      (0..<511).map { MemorySegment(start: $0 * size, length: size) }
      + [MemorySegment(start: 511 * size, length: 1 << 50)]
    fixture.proxy.prepare(.random(), segments: segments)
    #expect(database.holdWhenAsked())
    let end = try #require(fixture.proxy.awaitReport())
    let frames = database.frames()
    for segment in segments {
      let pages = segment.start / 4096..<segment.end / 4096
      let lowest = frames.filter(pages.contains).min()
      #expect(end.probes.filter { pages.contains($0 / 4096) }.min() == lowest.map { $0 * 4096 })
    }
  }

  @Test("asked for zeroes it fills every held page, reports none and waits for the end")
  func zeroes() throws {
    let (fixture, database, end) = try zeroed(.random())
    #expect(end.pages == 0 && end.pagesZeroed == 2048 && end.probes == [])
    #expect(database.holdsOnly(0))
    #expect(fixture.proxy.reportedPages == [])
    #expect(fixture.ringCount == 2)
    #expect(database.awaitMessage(milliseconds: 500) == nil)
  }

  @Test("after zeroes a lost link ends it at once, post-copy or not: that is the destination")
  func lostLink() throws {
    let (fixture, database, _) = try zeroed(.random(), postcopy: true)
    fixture.proxy.hangUp()
    #expect(database.releaseAndResumeWhenAsked(milliseconds: 2000) != nil)
    fixture.proxy.accept()
    let resumed = try #require(fixture.proxy.awaitResumed())
    #expect(resumed.leavesResident == 199)
  }

  @Test("after zeroes a port at which nobody answers ends it too")
  func silence() throws {
    let (fixture, database, _) = try zeroed(.random())
    // Somebody reads, as an observer at the destination does.
    fixture.proxy.acknowledges = false
    #expect(database.awaitMessage(milliseconds: 3000) == nil)
    #expect(database.releaseAndResumeWhenAsked(milliseconds: 4000) != nil)
    #expect(fixture.proxy.awaitResumed() != nil)
  }

  @Test("after zeroes ABORT releases and resumes")
  func abort() throws {
    let id = MigrationID.random()
    let (fixture, database, _) = try zeroed(id)
    fixture.proxy.send(HostMessage.Abort(reason: "a test"), for: id)
    #expect(database.releaseAndResumeWhenAsked() != nil)
    #expect(fixture.proxy.awaitResumed()?.atDestination == false)
  }

  @Test("a database that dies after zeroes is let go without asking")
  func databaseGone() throws {
    let id = MigrationID.random()
    let fixture = try GuardianFixture()
    do {
      let database = try fixture.database()
      fixture.proxy.prepare(id, zeroes: true)
      #expect(database.holdWhenAsked())
      _ = try #require(fixture.proxy.awaitReport())
      #expect(fixture.ringCount == 2)
    }
    #expect(fixture.hasRings(1))
  }

  private func zeroed(
    _ id: MigrationID, postcopy: Bool = false
  ) throws -> (GuardianFixture, FakeDatabase, GuestMessage.ReportEnd) {
    let fixture = try GuardianFixture()
    let database = try fixture.database()
    fixture.proxy.prepare(id, postcopy: postcopy, zeroes: true)
    #expect(database.holdWhenAsked())
    return (fixture, database, try #require(fixture.proxy.awaitReport()))
  }
}
