import Foundation
import Glibc
import HookLink
import LeafManifest
import Testing

@testable import Guardian

/// Where the time goes that a guest takes for its part, and how fast leaves come back beside what the disk
/// gives; nobody else uses the database. `make databases` prints the rows.
@Suite(.serialized, .enabled(if: geteuid() == 0)) struct PrepareTableTests {
  private static let documents =
    ProcessInfo.processInfo.environment["LEAFCUTTER_DOCUMENTS"].flatMap { Int($0) } ?? 20_000
  private static let repeats = 3

  @Test(arguments: TestEngine.present)
  func aPrepareIsTheSumOfItsStepsAndLeavesComeBack(engine: TestEngine) throws {
    var setup = DatabaseProcess.Setup(engine: engine, documents: PrepareTableTests.documents)
    // A document takes some 800 bytes of the cache, and nothing shall be evicted before its time.
    setup.cacheMegabytes = max(512, PrepareTableTests.documents / 800)
    let directory = try DatabaseProcess.fill(setup)
    let database = try DatabaseProcess(setup, directory: directory)
    defer { database.remove() }
    let guardian = try RealGuardian(for: database, group: 0)
    try database.start()
    try guardian.waitForDatabase()
    try database.tell("warm")
    var (prepares, refaults): ([[String]], [[String]]) = ([], [])
    for _ in 0..<PrepareTableTests.repeats {
      let cache = try database.tell("cache")[1]
      let report = try guardian.report()
      let evicted = cache - (try database.tell("cache")[1])
      prepares.append(
        prepareRow(engine, report, evicted: evicted, reported: guardian.reportedBytes))
      let sequential = database.readTablesInOrder()
      database.dropPageCache()
      let resumed = try guardian.abort()
      refaults.append(
        refaultRow(
          engine, resumed, bytes: try database.manifestBytes(), sequential: sequential))

      let steps = report.steps.filter { !$0.step.contains("beside") }
      let whole = try #require(steps.last { $0.step.hasPrefix("guardian: PREPARE") })
      let sum = steps.reduce(0) { $0 + $1.nanoseconds } - whole.nanoseconds
      #expect(sum <= whole.nanoseconds)
      #expect(report.pages > 0, "\(report.notes)")
      #expect(resumed.leavesResident >= resumed.leavesInManifest * 99 / 100)
      // A bit for each page of memory at most, in pieces of 128 MiB.
      let bits = sysconf(Int32(_SC_PHYS_PAGES)) + (64 << 15)
      #expect(guardian.reportedBytes <= bits / 8)
    }
    PrepareTableTests.print(PrepareTableTests.prepareHeader, prepares)
    PrepareTableTests.print(PrepareTableTests.refaultHeader, refaults)
    try database.expectClean()
  }

  private static let steps = [
    "checkpoint", "list and probe", "evict by key", "evict", "purge and probe again",
    "wait for manifest", "pin", "read frame numbers",
  ]

  private static let prepareHeader =
    ["WiredTiger", "evicted, MB"] + steps + ["moving, beside", "whole, s/GB", "report, KiB"]

  private func prepareRow(
    _ engine: TestEngine, _ report: GuestMessage.ReportEnd, evicted: Int, reported: Int
  ) -> [String] {
    func perGigabyte(_ matches: (String) -> Bool) -> String {
      let step = report.steps.first { matches($0.step) }
      return step.map { String(format: "%.3f", Double($0.nanoseconds) / Double(evicted)) } ?? ""
    }
    return [engine.rawValue, "\(evicted / 1_000_000)"]
      + PrepareTableTests.steps.map { name in perGigabyte { $0 == name } } + [
        perGigabyte { $0.hasPrefix("move") }, perGigabyte { $0.hasPrefix("guardian: PREPARE") },
        "\(reported >> 10)",
      ]
  }

  private static let refaultHeader = [
    "WiredTiger", "leaves", "read back, MB/s", "leaves/s", "in order, MB/s", "ratio",
  ]

  private func refaultRow(
    _ engine: TestEngine, _ resumed: GuestMessage.Resumed, bytes: Int, sequential: Double
  ) -> [String] {
    let seconds =
      Double(resumed.steps.first { $0.step == "refault" }?.nanoseconds ?? 0) / 1_000_000_000
    let rate = Double(bytes) / seconds / 1_000_000
    return [
      engine.rawValue, "\(resumed.leavesRefaulted)", String(format: "%.0f", rate),
      String(format: "%.0f", Double(resumed.leavesRefaulted) / seconds),
      String(format: "%.0f", sequential), String(format: "%.2f", rate / sequential),
    ]
  }

  private static func print(_ header: [String], _ rows: [[String]]) {
    for cells in [header, [String](repeating: "---", count: header.count)] + rows {
      Swift.print("| " + cells.joined(separator: " | ") + " |")
    }
  }
}

extension DatabaseProcess {
  /// Bytes of the files that the leaves of the last manifest take.
  fileprivate func manifestBytes() throws -> Int {
    try LeafManifest.read(fromHome: home).tables.reduce(0) { sum, table in
      table.leaves.sizes.reduce(sum) { $0 + Int($1) }
    }
  }

  /// Reads the tables' files from their beginning to their end, with nothing of them in the page cache.
  ///
  /// - Returns: 10⁶ bytes per second.
  fileprivate func readTablesInOrder() -> Double {
    dropPageCache()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { unsafe piece.deallocate() }
    var bytes = 0
    let began = monotonicNanoseconds()
    for name in (try? FileManager.default.contentsOfDirectory(atPath: home)) ?? []
    where name.hasSuffix(".wt") {
      // The path is zero-terminated for the time of the call.
      let file = unsafe open(home + "/" + name, O_RDONLY)
      guard file >= 0 else { continue }
      defer { close(file) }
      // At most as many bytes as there is room for.
      while case let count = unsafe read(file, piece.baseAddress, piece.count), count > 0 {
        bytes += count
      }
    }
    return Double(bytes) / Double(monotonicNanoseconds() - began) * 1000
  }
}
