import Foundation
import HookLink
import Testing

/// Every engine on every allocator, with clients reading all the while; `make databases` prints the rows.
@Suite(.serialized) struct DatabaseTableTests {
  private static let documents =
    ProcessInfo.processInfo.environment["LEAFCUTTER_DOCUMENTS"].flatMap { Int($0) } ?? 20_000
  private static let clients = 2
  /// As uname(2) says, up to the second number: "6.1".
  private static let kernel: String = {
    let release =
      (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)) ?? "?"
    return release.split(separator: ".").prefix(2).joined(separator: ".")
  }()

  init() { _ = DatabaseTableTests.header }

  @Test(arguments: TestEngine.present, TestAllocator.allCases)
  func leavesGoAndComeBackWhileClientsRead(engine: TestEngine, allocator: TestAllocator) throws {
    let setup = DatabaseProcess.Setup(
      engine: engine, documents: DatabaseTableTests.documents, allocator: allocator)
    let directory = try DatabaseProcess.fill(setup)
    let (database, guardian) = try DatabaseProcess.openWarm(setup, directory: directory)
    defer { database.remove() }
    try database.tell("readers \(DatabaseTableTests.clients)")
    sleep(1)
    try database.tell("latencies")
    sleep(2)
    let before = Latencies(try database.tell("latencies"))
    let cache = try database.tell("cache")[1]
    let began = Date()
    try guardian.prepare()
    let (held, prepared) = try guardian.prepared()
    let took = Date().timeIntervalSince(began)
    let during = Latencies(try database.tell("latencies"))
    let evicted = cache - (try database.tell("cache")[1])
    let bytes = held?.pieces.reduce(0) { $0 + Int($1.length) } ?? 0
    try guardian.release()
    try database.tell("latencies")
    try guardian.send(LocalMessage.Resume(threads: 2, leavesPerSecond: 0))
    let resumed = try guardian.resumed()
    let refault = Latencies(try database.tell("latencies"))
    sleep(2)
    let after = Latencies(try database.tell("latencies"))
    try database.tell("still")
    DatabaseTableTests.print(
      [
        DatabaseTableTests.kernel, engine.rawValue, allocator.rawValue, "\(evicted >> 20)",
        "\(bytes * 100 / max(1, evicted))",
        "\(prepared.leavesListed)", "\(prepared.leavesEvicted)", "\(resumed.leavesRefaulted)",
        String(format: "%.2f", took), before.p99, during.p99, refault.p99, after.p99,
        during.longest, refault.longest,
      ])

    #expect([before, during, refault, after].allSatisfy { $0.bad == 0 })
    #expect(prepared.leavesInManifest > prepared.leavesListed * 95 / 100)
    #expect(prepared.leavesEvicted > prepared.leavesInManifest / 2)
    // Clients read all the while, and the engine may be about to evict what they left.
    #expect(
      resumed.leavesResident >= resumed.leavesInManifest * 99 / 100, "\(resumed.notes)")
    if allocator == .glibc {
      #expect(held == nil && prepared.notes.contains { $0.contains("glibc's malloc") })
    } else {
      #expect(bytes > evicted / 2, "\(bytes) of \(evicted), \(prepared.notes)")
    }
    try database.expectClean()
  }

  /// As the test database says them, in nanoseconds.
  private struct Latencies {
    var bad: Int
    var p99: String
    var longest: String

    init(_ numbers: [Int]) {
      bad = numbers[1]
      p99 = "\(numbers[3] / 1000)"
      longest = String(format: "%.1f", Double(numbers[4]) / 1_000_000)
    }
  }

  private static let header: Void = {
    print([
      "kernel", "WiredTiger", "allocator", "evicted, MiB", "held, % of it", "leaves listed",
      "evicted",
      "read back", "prepare, s", "p99 before, µs", "during", "refault", "after",
      "longest during, ms",
      "refault",
    ])
    print([String](repeating: "---", count: 15))
  }()

  private static func print(_ cells: [String]) {
    Swift.print("| " + cells.joined(separator: " | ") + " |")
  }
}
