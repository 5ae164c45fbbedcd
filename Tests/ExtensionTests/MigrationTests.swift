import Foundation
import HookLink
import LeafManifest
import Testing

/// A real WiredTiger database with the extension and the hold library, from PREPARE to RESUME.
@Suite(.serialized) struct MigrationTests {
  @Test(arguments: ["none", "snappy"])
  func everyResidentLeafIsListedEvictedHeldAndReadBack(compressor: String) throws {
    // Pages are counted as the engine does only when they have been read from the file.
    let setup = DatabaseProcess.Setup(compressor: compressor, documents: 300_000)
    let filling = try DatabaseProcess(setup)
    try filling.start()
    try filling.tell("close")
    let database = try DatabaseProcess(setup, directory: filling.directory)
    defer { database.remove() }
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    let register = try guardian.accept()
    #expect(register.listsLeaves && register.holdsFrames, "\(register.notes)")
    #expect(register.home == URL(fileURLWithPath: database.home).resolvingSymlinksInPath().path)

    try database.tell("warm")
    let resident = try database.tell("leaves")[0]
    let before = try database.tell("cache")
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    report("prepare, \(compressor)", before[1], prepared.steps)
    #expect(prepared.notes == [])
    #expect(prepared.leavesListed == UInt64(resident))
    #expect(prepared.leavesInManifest == UInt64(resident))
    #expect(Int(prepared.leavesEvicted) >= resident * 99 / 100)
    #expect(try database.tell("leaves")[0] <= resident / 100)
    let bytes = try #require(held).pieces.reduce(0) { $0 + Int($1.length) }
    print("held \(bytes >> 20) MiB of \(before[1] >> 20) MiB of cache, \(resident) leaves")
    #expect(bytes > before[1] * 9 / 10)
    #expect(database.memory("VmPin") >= bytes)

    // The database goes on, with a small cache, while its frames are held.
    #expect(try database.tell("read 2000") == [2000, 0])
    #expect(try database.tell("cache")[0] == 1 << 20)

    try guardian.release()
    #expect(database.memory("VmPin") < 1 << 20)
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    report("resume, \(compressor)", before[1], resumed.steps)
    #expect(resumed.leavesInManifest == UInt64(resident))
    #expect(resumed.leavesRefaulted == UInt64(resident))
    #expect(resumed.leavesResident == UInt64(resident))
    #expect(try database.tell("leaves")[0] == resident)
    #expect(try database.tell("cache")[0] == before[0])
    #expect(try database.tell("verify") == [300_000, 0])
    #expect(try database.tell("close") == [0])
    #expect(database.waitForExit(seconds: 10))
  }

  private func report(_ what: String, _ cache: Int, _ steps: [StepTime]) {
    let texts = steps.map { "\($0.step) \($0.nanoseconds / 100_000)" }
    print("\(what), \(cache >> 20) MiB, in 0.1 ms: \(texts.joined(separator: ", "))")
  }
}
