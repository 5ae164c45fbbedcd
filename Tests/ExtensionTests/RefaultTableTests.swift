import Foundation
import HookLink
import Testing

/// What clients feel while leaves are read back from a disk whose page cache is cold, as it is at a
/// destination; `make databases` prints the rows.
@Suite(.serialized) struct RefaultTableTests {
  private static let documents =
    ProcessInfo.processInfo.environment["LEAFCUTTER_DOCUMENTS"].flatMap { Int($0) } ?? 20_000

  enum Manner: String, CaseIterable {
    /// Clients read what they need, and nobody else does.
    case none = "nothing is read back"
    case yielding
    case careless = "as fast as it goes"
  }

  init() { _ = RefaultTableTests.header }

  @Test(arguments: TestEngine.present, [2, 8])
  func everyLeafComesBackInEveryManner(engine: TestEngine, clients: Int) throws {
    let setup = DatabaseProcess.Setup(engine: engine, documents: RefaultTableTests.documents)
    let directory = try DatabaseProcess.fill(setup)
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    try database.tell("readers \(clients)")
    for manner in Manner.allCases {
      try guardian.prepare()
      _ = try guardian.prepared()
      try guardian.release()
      database.dropPageCache()
      try database.tell("latencies")
      let began = Date()
      try guardian.send(
        LocalMessage.Resume(
          threads: 4, leavesPerSecond: manner == .none ? 1 : 0, yields: manner == .yielding))
      if manner == .none {
        usleep(500_000)
        RefaultTableTests.print(engine, clients, manner, "", try database.tell("latencies"))
        // The next migration ends it.
        try guardian.prepare()
        _ = try guardian.resumed()
        _ = try guardian.prepared()
        _ = try guardian.releaseAndResume()
        continue
      }
      let resumed = try guardian.resumed()
      let took = String(format: "%.2f", Date().timeIntervalSince(began))
      let latencies = try database.tell("latencies")
      RefaultTableTests.print(engine, clients, manner, took, latencies)
      #expect(latencies[1] == 0)
      #expect(resumed.leavesResident >= resumed.leavesInManifest * 99 / 100)
    }
    try database.tell("still")
    try database.expectClean()
  }

  private static let header: Void = {
    Swift.print(
      "| WiredTiger | clients | refault | took, s | reads | p50, µs | p99 | longest, ms |")
    Swift.print("|---|---|---|---|---|---|---|---|")
  }()

  private static func print(
    _ engine: TestEngine, _ clients: Int, _ manner: Manner, _ took: String, _ numbers: [Int]
  ) {
    let longest = String(format: "%.1f", Double(numbers[4]) / 1_000_000)
    let (p50, p99) = (numbers[2] / 1000, numbers[3] / 1000)
    Swift.print(
      """
      | \(engine.rawValue) | \(clients) | \(manner.rawValue) | \(took) | \(numbers[0]) | \(p50) | \(p99) \
      | \(longest) |
      """)
  }
}
