import CGuestSystem
import Foundation
import Glibc
import HookLink
import Testing

@testable import Guardian

/// What the guardian writes into the held frames of a real WiredTiger database, while that goes on.
@Suite(.serialized) struct HeldMemoryTests {
  @Test func framesFilledWithZeroesStaySoAndTheLeavesComeBack() throws {
    let (database, guardian, resident) = try openWarm()
    defer { database.remove() }
    try guardian.prepare()
    let pieces = try #require(try guardian.prepared().held).pieces
    let memory = try open(database)
    let pages = pieces.reduce(0) { $0 + $1.length } / 4096
    #expect(try pages == memory.erase(pieces) && pages > 1000)
    // The database goes on, and nothing of it is in the held frames.
    #expect(try database.tell("read 2000") == [2000, 0])
    #expect(try database.tell("update 500").isEmpty == false)
    let zeroes = [UInt8](repeating: 0, count: 4096)
    var other = 0
    try forEachPage(of: pieces, in: database) { _, content in if content != zeroes { other += 1 } }
    #expect(other == 0, "of \(pages) pages")
    try expectResumed(database, guardian, resident)
  }

  @Test func probesAreWrittenIntoHeldFramesAndNothingElseIsChanged() throws {
    let (database, guardian, resident) = try openWarm()
    defer { database.remove() }
    try guardian.prepare()
    let pieces = try #require(try guardian.prepared().held).pieces
    var frames = FrameSet()
    var candidates = ProbeCandidates([MemorySegment(start: 1 << 20, length: 1 << 50)])
    let memory = try open(database)
    var reader = PagemapReader(memory)
    for piece in pieces { try reader.read(piece, of: 0, into: &frames, &candidates) }
    #expect(reader.refused == 0 && reader.unknown == 0 && frames.count > 1000)
    var before: [UInt64: Int] = [:]
    try forEachPage(of: pieces, in: database) { before[$0] = $1.hashValue }

    let chosen = candidates.chosen
    #expect((2...8).contains(chosen.count))
    for place in chosen { #expect(try memory.writeProbe(at: place, for: guardian.migration)) }
    let probes = Dictionary(uniqueKeysWithValues: chosen.map { ($0.address, $0.frame) })
    #expect(try database.tell("read 2000") == [2000, 0])
    var changed = 0
    try forEachPage(of: pieces, in: database) { address, content in
      if let frame = probes[address] {
        #expect(content == ProbePage.content(for: guardian.migration, at: frame * 4096))
      } else if before[address] != content.hashValue {
        changed += 1
      }
    }
    #expect(changed == 0)
    // A page that is elsewhere than it is said to be is no probe, and is left alone.
    var wrong = chosen[0]
    wrong.frame += 1
    #expect(try !memory.writeProbe(at: wrong, for: guardian.migration))
    var first: [UInt8] = []
    try forEachPage(of: pieces, in: database) { if $0 == wrong.address { first = $1 } }
    #expect(first == ProbePage.content(for: guardian.migration, at: chosen[0].frame * 4096))
    try expectResumed(database, guardian, resident)
  }

  @Test(arguments: TestEngine.present)
  func aPartOfTheHoldIsGivenBackAndTheRestStays(engine: TestEngine) throws {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(engine: engine, documents: 100_000))
    defer { database.remove() }
    try guardian.prepare()
    let pieces = try #require(try guardian.prepared().held).pieces
    try #require(pieces.count > 1)
    let part = pieces.suffix(pieces.count / 2)
    let (partBytes, bytes) = (
      part.reduce(0) { $0 + Int($1.length) }, pieces.reduce(0) { $0 + Int($1.length) }
    )
    let resident = database.memory("RssAnon")
    #expect(database.memory("VmPin") == bytes)
    try guardian.send(LocalMessage.ReleasePieces(addresses: part.map(\.address)))
    // Nothing is answered; what comes next is.
    try guardian.send(LocalMessage.ReleasePieces(addresses: [part[part.startIndex].address]))
    guard case .failed(let failed) = try guardian.next() else { throw TestGuardian.Unexpected() }
    #expect(failed.reason.contains("give back a held piece"), "it is no piece any more")
    #expect(database.memory("VmPin") == bytes - partBytes)
    #expect(resident - database.memory("RssAnon") > partBytes * 9 / 10)
    #expect(try database.tell("read 2000") == [2000, 0])
    let resumed = try guardian.releaseAndResume()
    #expect(database.memory("VmPin") == 0)
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
  }

  /// It would carry as much again as the database's own memory, and nothing that anybody looks for.
  @Test func aCoreDumpLeavesTheHoldOutAndSoDoesAFork() throws {
    let (database, guardian, resident) = try openWarm()
    defer { database.remove() }
    try guardian.prepare()
    let pieces = try #require(try guardian.prepared().held).pieces
    let file = try #require(FileHandle(forReadingAtPath: "/proc/\(database.identifier)/smaps"))
    var bytes = Data()
    // A read gives some mappings at a time.
    while let some = try file.read(upToCount: 65536), !some.isEmpty { bytes += some }
    let smaps = String(decoding: bytes, as: UTF8.self)
    var mapping: Range<UInt64> = 0..<0
    var found = 0
    for line in smaps.split(separator: "\n") {
      let words = line.split(separator: " ")
      let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
      if ends.count == 2 { mapping = ends[0]..<ends[1] }
      guard words[0] == "VmFlags:",
        pieces.contains(where: { mapping.overlaps($0.address..<$0.address + $0.length) })
      else { continue }
      found += 1
      // proc(5): not in core dumps, not copied by fork(2).
      #expect(words.contains("dd") && words.contains("dc"), "\(line)")
    }
    #expect(found > 0)
    try expectResumed(database, guardian, resident)
  }

  /// A child that had them would keep the frames of a database that is killed.
  @Test func aForkedChildHasNothingByWhichFramesAreHeld() throws {
    let (database, guardian, resident) = try openWarm()
    defer { database.remove() }
    try guardian.prepare()
    let pieces = try #require(try guardian.prepared().held).pieces
    let bytes = pieces.reduce(0) { $0 + Int($1.length) }
    let child = pid_t(try database.tell("fork")[0])
    #expect(holders(of: database.identifier).count == 3)
    // It may not have run yet.
    for _ in 0..<200 where !holders(of: child).isEmpty { usleep(10_000) }
    #expect(holders(of: child) == [])
    #expect(database.memory("VmPin") == bytes)
    #expect(try database.tell("endchild") == [1])
    #expect(holders(of: database.identifier).count == 3)
    try expectResumed(database, guardian, resident)
  }

  /// The ring, the userfaultfd and the page map that a process has open.
  private func holders(of process: pid_t) -> [String] {
    let directory = "/proc/\(process)/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.compactMap {
      try? FileManager.default.destinationOfSymbolicLink(atPath: directory + "/" + $0)
    }.filter { target in
      ["[io_uring]", "[userfaultfd]", "/pagemap"].contains { target.hasSuffix($0) }
    }
  }

  @Test func theMemoryOfAProcessThatIsGoneCannotBeOpened() throws {
    let (database, _, _) = try openWarm()
    let process = Descriptor(owning: leafcutter_guest_pidfd_open(database.identifier))
    database.remove()
    #expect(throws: SystemError.self) { try HeldMemoryFile(of: database.identifier, process) }
    // The number may be another's by then.
    #expect(throws: SystemError.self) { try HeldMemoryFile(of: getpid(), process) }
  }

  private func openWarm() throws -> (DatabaseProcess, TestGuardian, resident: Int) {
    let database = try DatabaseProcess(.init(documents: 20_000))
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    _ = try guardian.accept()
    try database.tell("warm")
    return (database, guardian, try database.tell("leaves")[0])
  }

  private func open(_ database: DatabaseProcess) throws -> HeldMemoryFile {
    let process = Descriptor(owning: leafcutter_guest_pidfd_open(database.identifier))
    return try HeldMemoryFile(of: database.identifier, process)
  }

  private func expectResumed(
    _ database: DatabaseProcess, _ guardian: TestGuardian, _ resident: Int
  ) throws {
    try guardian.release()
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    #expect(resumed.leavesInManifest > 0)
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    #expect(try database.tell("leaves")[0] >= resident)
    #expect(try database.tell("verify")[1] == 0)
    #expect(try database.tell("close") == [0])
    #expect(database.waitForExit(seconds: 20))
  }

  /// Calls `body` with each page's address in the database and its bytes.
  private func forEachPage(
    of pieces: [LocalMessage.AddressRange], in database: DatabaseProcess,
    _ body: (UInt64, [UInt8]) -> Void
  ) throws {
    let memory = try #require(FileHandle(forReadingAtPath: "/proc/\(database.identifier)/mem"))
    for piece in pieces {
      try memory.seek(toOffset: piece.address)
      let bytes = [UInt8](try #require(try memory.read(upToCount: Int(piece.length))))
      #expect(bytes.count == Int(piece.length))
      for start in stride(from: 0, to: bytes.count, by: 4096) {
        body(piece.address + UInt64(start), Array(bytes[start..<start + 4096]))
      }
    }
  }
}
