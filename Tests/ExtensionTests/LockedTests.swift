import Glibc
import Testing

@testable import WiredTigerExtension

@Suite struct LockedTests {
  /// The engine's functions that the extension has in its own hands take locks, in a database that forks too.
  @Test func aLockThatTwoThreadsOfAForkedChildWantHolds() throws {
    typealias Fork = @convention(c) () -> pid_t
    // Its own name and type; Swift has no fork(2).
    let symbol = unsafe try #require(dlsym(nil, "fork"))
    let fork = unsafe unsafeBitCast(symbol, to: Fork.self)
    let count = Locked(0)
    count.withLock { $0 += 1 }
    let child = fork()
    if child == 0 {
      // A lock that is never had is a failure, not a wait.
      alarm(60)
      let other = count.withLock { value in
        value += 1
        let other = startThread("other") { count.withLock { $0 += 1 } }
        usleep(100_000)
        return other
      }
      for _ in 0..<500 where count.withLock({ $0 }) < 3 { usleep(10_000) }
      _exit(other && count.withLock { $0 } == 3 ? 0 : 1)
    }
    var status: Int32 = -1
    // One word, alive during the call.
    #expect(unsafe waitpid(child, &status, 0) == child)
    #expect(status == 0)
  }
}
