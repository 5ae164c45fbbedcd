import Foundation
import HookLink
import Testing

@testable import Guardian

/// A kernel that is loaded for kexec would write over held frames, and nobody would be told.
@Suite(.serialized) struct LoadedKernelTests {
  private let path = FileManager.default.temporaryDirectory.path + "/kexec-\(UUID().uuidString)"

  private func say(_ text: String) throws {
    // In place, because the guardian keeps the file open, as it does that of sysfs.
    if !FileManager.default.fileExists(atPath: path) {
      _ = FileManager.default.createFile(atPath: path, contents: nil)
    }
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.write(contentsOf: Data(text.utf8))
    try file.close()
  }

  @Test("where a kernel is loaded a guest takes part in no migration, and says why")
  func declined() throws {
    try say("1\n")
    defer { try? FileManager.default.removeItem(atPath: path) }
    let guardian = GuardianInProcess(loadedKernel: path)
    guardian.proxy.prepare(.random())
    let reason = guardian.proxy.await { message in
      guard case .declined(let declined) = message else { return nil as String? }
      // What a guardian says that has just started is no answer.
      return declined.reason.contains("kexec") ? declined.reason : nil
    }
    #expect(try #require(reason).contains("unload it"))
    // Unloaded, and the next migration is one like any other.
    try say("0\n")
    guardian.proxy.prepare(.random())
    #expect(guardian.proxy.awaitMark() != nil)
  }

  @Test(
    """
    where one is loaded while frames are held the mark page promises nothing until they have all been given \
    back
    """)
  func revoked() throws {
    try say("0\n")
    defer { try? FileManager.default.removeItem(atPath: path) }
    let guardian = GuardianInProcess(loadedKernel: path)
    let database = try guardian.database()
    let id = MigrationID.random()
    guardian.proxy.prepare(id)
    #expect(database.holdWhenAsked())
    _ = try #require(guardian.proxy.awaitReport())
    let mark = try #require(database.mark)
    func promise() -> MarkPage.State? {
      MarkPage.State(rawValue: mark.load(at: MarkPage.Offset.state))
    }
    #expect(promise() == .holding)
    try say("1\n")
    let revoke = guardian.proxy.await(seconds: 2) { message in
      if case .revoke(let revoke) = message { revoke } else { nil }
    }
    let wanted = try #require(revoke)
    #expect(wanted.ranges == nil)
    #expect(database.awaitMessage(milliseconds: 300) == nil)
    #expect(promise() == .withdrawn)
    guardian.proxy.send(HostMessage.Acknowledge(sequence: wanted.sequence), for: id)
    #expect(database.awaitMessage() == .release(.init()))
    // Nothing is held that the loaded kernel could write over, so the promise is kept again.
    usleep(100_000)
    #expect(promise() == .holding)
  }
}
