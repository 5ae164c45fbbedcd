import Foundation
import Glibc
import HookLink
import Testing

/// A database is left in peace until it is open.
@Suite(.serialized) struct OpeningTests {
  /// From 11 on a program may have sessions for statistics while `wiredtiger_open` still recovers, as mongod has.
  @Test(.enabled(if: TestEngine.newer.isPresent))
  func aSessionBeforeRecoveryIsOverIsNoSignThatItIsOpen() throws {
    let database = try DatabaseProcess(
      .init(engine: .newer, documents: 2000, recoversFor: 3))
    defer { database.remove() }
    let guardian = try TestGuardian(socket: database.socket)
    try database.begin()
    let early = database.home + "/early"
    let deadline = Date(timeIntervalSinceNow: 10)
    while !FileManager.default.fileExists(atPath: early), Date() < deadline { usleep(10_000) }
    #expect(FileManager.default.fileExists(atPath: early))
    #expect(!guardian.isAsked)
    _ = try guardian.accept()
    _ = try database.answer()
    try guardian.prepare()
    #expect(try guardian.prepared().held != nil)
    try guardian.release()
    #expect(try database.tell("verify")[1] == 0)
  }
}
