import Foundation
import Glibc
import HookLink
import Testing

/// What most tests begin and end with.
extension DatabaseProcess {
  /// A database that has connected to its guardian, with all of its pages in the cache.
  ///
  /// - Parameter directory: of an earlier process, to open its database again.
  static func openWarm(
    _ setup: Setup = .init(documents: 20_000), directory: String? = nil
  ) throws -> (DatabaseProcess, TestGuardian) {
    let database = try DatabaseProcess(setup, directory: directory)
    let guardian = try TestGuardian(socket: database.socket)
    try database.start()
    _ = try guardian.accept()
    try database.tell("warm")
    return (database, guardian)
  }

  /// Makes a database and closes it again, so that whoever opens it next has nothing of it in the cache.
  ///
  /// - Parameter commands: what is done in between.
  /// - Returns: its directory.
  static func fill(_ setup: Setup, _ commands: [String] = []) throws -> String {
    let database = try DatabaseProcess(setup)
    try database.start()
    for command in commands { try database.tell(command) }
    try database.tell("close")
    return database.directory
  }

  /// Has the kernel forget what it keeps of the database's files.
  func dropPageCache() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: home)) ?? [] {
      // The path is zero-terminated for the time of the call.
      let file = unsafe open(home + "/" + name, O_RDONLY)
      guard file >= 0 else { continue }
      // Dirty pages would stay.
      fsync(file)
      posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
      close(file)
    }
  }

  /// How many files, sockets and other descriptors it has.
  var openDescriptors: Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(identifier)/fd"))?.count ?? -1
  }

  /// Every document is as it was written, and every table as the engine wants it.
  func expectClean() throws {
    #expect(try tell("verify")[1] == 0)
    #expect(try tell("close") == [0])
    #expect(waitForExit(seconds: 20))
  }
}

extension LocalMessage.Prepared {
  /// Without the one that a machine's other work brings about: the small cache is made larger where the engine's own
  /// threads get no processor.
  var notesButOfRoom: [String] { notes.filter { !$0.contains("made larger for writers") } }
}

extension TestGuardian {
  /// Has the database let its frames go and read its leaves back.
  @discardableResult
  func releaseAndResume() throws -> LocalMessage.DatabaseResumed {
    try release()
    try send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    return try resumed()
  }
}
