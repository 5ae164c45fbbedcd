import Glibc
import Synchronization
import Testing

@testable import WiredTigerExtension

/// The extension lives among somebody else's descriptors.
@Suite struct GuardianLinkTests {
  /// A descriptor that is closed twice may be a file of the database's the second time, which WiredTiger
  /// answers with a panic at best.
  @Test func aGuardianThatIsNotThereCostsNobodyADescriptor() {
    let over = Atomic(false)
    let stolen = Atomic(0)
    let program = Crew("files", count: 2) { _ in
      while !over.load(ordering: .relaxed) {
        // The path is a literal.
        let file = unsafe open("/dev/null", O_RDONLY)
        sched_yield()
        if close(file) != 0 { stolen.add(1, ordering: .relaxed) }
      }
    }
    for _ in 0..<100_000 where stolen.load(ordering: .relaxed) == 0 {
      #expect(GuardianLink(path: "/nonexistent") == nil)
    }
    over.store(true, ordering: .relaxed)
    program.join()
    #expect(stolen.load(ordering: .relaxed) == 0)
  }
}
