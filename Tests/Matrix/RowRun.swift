import Logging
import MigrationLab
import StreamProxy
import Synchronization

/// Runs one row: two QEMUs from nothing, one migration, and the comparison.
final class RowRun: Sendable {
  /// A QMP command, a proxy or a guest that has not come to an end by then never will.
  private static let limit = 90
  /// How long the proxy may take to end once the migration has.
  private static let grace = Duration.seconds(20)

  private let row: MatrixRow
  private let logLevel: Logger.Level
  private let hung = Mutex<String?>(nil)
  private let ended = Mutex<MigrationSummary?>(nil)

  init(_ row: MatrixRow, logLevel: Logger.Level) {
    self.row = row
    self.logLevel = logLevel
  }

  /// - Returns: what goes into the file, and what is wrong with it, if anything is.
  func run() async -> (result: MatrixResult, problem: String?) {
    do {
      let layout = row.setting.layout
      if let shortage = HugePages.shortage(for: layout) ?? SharedMemory.shortage(for: layout) {
        // Nobody's fault, and nothing that the proxy did.
        return (result(.failed, shortage), nil)
      }
      return try await migrate()
    } catch {
      return judged(result(.failed, "\(error)"), nil)
    }
  }

  private func migrate() async throws -> (MatrixResult, String?) {
    let bench = try MigrationBench(row.way, in: row.setting, seconds: RowRun.limit) { complaints in
      self.hung.withLock { $0 = complaints }
    }
    if row.isControl {
      try await bench.migrate(to: bench.connectURI)
      let failure = await lastWord(of: bench)
      return judged(bench, summary: nil, failure: failure)
    }
    let proxy = try bench.makeProxy(logLevel: logLevel)
    Task { [self] in
      let summary = await proxy.run()
      ended.withLock { $0 = summary }
    }
    var failure: String?
    do {
      try await bench.migrate(to: bench.listenURI)
      failure = await lastWord(of: bench)
    } catch {
      failure = "\(error)"
    }
    let summary = await summary(of: proxy, failed: failure != nil)
    return judged(bench, summary: summary, failure: failure)
  }

  /// Waits until the source's migration is over and the destination has all of it; nil when both say
  /// that it is complete.
  private func lastWord(of bench: MigrationBench) async -> String? {
    for machine in [bench.source, bench.destination] {
      while true {
        do {
          let answer = try machine.qmp.queryMigrate()
          if answer.status == "completed" { break }
          if answer.status == "colo" {
            bench.kill()
            return "COLO began, and goes on until a failover"
          }
          if answer.isOver {
            let said = answer.errorDescription ?? "QEMU's migration \(answer.status ?? "ended")"
            return "\(said); destination: \(bench.destination.complaints)"
          }
        } catch {
          return "\(error)"
        }
        try? await Task.sleep(for: .milliseconds(20))
      }
    }
    return nil
  }

  /// The proxy's account; nil when it does not come to an end.
  private func summary(of proxy: MigrationProxy, failed: Bool) async -> MigrationSummary? {
    let began = ContinuousClock.now
    var interrupted = false
    while ContinuousClock.now - began < RowRun.grace {
      if let summary = ended.withLock({ $0 }) { return summary }
      // A migration that QEMU does not even begin never reaches it.
      if failed, !interrupted, ContinuousClock.now - began > .seconds(3) {
        interrupted = true
        proxy.interrupt()
      }
      try? await Task.sleep(for: .milliseconds(10))
    }
    return nil
  }

  // MARK: What it came to

  private func judged(
    _ bench: MigrationBench, summary: MigrationSummary?, failure: String?
  ) -> (MatrixResult, String?) {
    if let complaints = hung.withLock({ $0 }) {
      return judged(result(.hang, "nothing ended within \(RowRun.limit) s; \(complaints)"), nil)
    }
    if summary == nil, !row.isControl {
      return judged(result(.hang, "the proxy did not end with the migration"), nil)
    }
    var reason = summary?.uneditedReason
    if let summary, summary.outcome != .completed { reason = reason ?? summary.reason }
    if summary.map({ $0.outcome != .completed }) ?? false || failure != nil {
      let sentence = [failure, reason].compactMap { $0 }.joined(separator: "; ")
      return judged(result(.failed, sentence, summary), nil)
    }
    if case .zeroes = row.way.expectation, !row.isControl {
      guard bench.guest.wasAskedForZeroes else {
        let sentence = "the guest was not asked for zeroes; \(reason ?? "no reason")"
        return judged(result(.failed, sentence, summary), nil)
      }
    }
    let drops = row.way.expectation == .drops && !row.isControl
    let comparison = bench.compare(dropped: drops)
    guard comparison.isEqual else {
      let found = "\(comparison.unexpected) pages differ; \(comparison.first ?? "")"
      return judged(result(.unequal, found, summary), comparison)
    }
    if row.isControl { reason = "control: without the proxy" }
    return judged(result(.equal, reason, summary), comparison)
  }

  private func result(
    _ verdict: MatrixResult.Verdict, _ reason: String?, _ summary: MigrationSummary? = nil
  ) -> MatrixResult {
    MatrixResult(
      source: row.setting.source.version, destination: row.setting.destination.version,
      capabilities: row.way.settings, layout: row.setting.layout.name, result: verdict,
      deadMet: summary?.deadPagesMet ?? 0, dropped: summary?.pagesDropped ?? 0, reason: reason,
      zeroed: Int(summary?.guest?.pagesZeroed ?? 0))
  }

  private func judged(
    _ result: MatrixResult, _ comparison: MemoryComparison?
  ) -> (MatrixResult, String?) {
    var result = result
    result.reason = result.reason?.replacing("\n", with: " ")
    return (result, RowJudge(row: row, result: result, comparison: comparison).problem)
  }
}

/// Compares what a row came to with what it must come to.
struct RowJudge {
  /// Of the dead pages met, how many must have been dropped.
  private static let share = 0.99

  var row: MatrixRow
  var result: MatrixResult
  var comparison: MemoryComparison?

  /// nil when it is as it must be.
  var problem: String? {
    let reason = result.reason ?? "no reason"
    if case .fails(let text) = row.way.expectation {
      guard result.result == .failed, reason.contains(text) else {
        return "it should have failed for \"\(text)\""
      }
      return nil
    }
    guard result.result == .equal else { return "\(result.result.rawValue): \(reason)" }
    if row.isControl { return nil }
    switch row.way.expectation {
    case .drops:
      guard result.deadMet > 0, Double(result.dropped) >= RowJudge.share * Double(result.deadMet)
      else { return "\(result.dropped) of \(result.deadMet) dead pages were dropped: \(reason)" }
      guard let comparison, comparison.isDropped(atLeast: row.way.leastShareDropped) else {
        let found = comparison?.zeroHeld.map { "\($0.zero) of \($0.all)" } ?? []
        return "held pages of some segment travelled: \(found.joined(separator: ", ")) are empty"
      }
    case .passes(let reasons):
      guard result.dropped == 0, reasons.contains(where: reason.contains) else {
        return "nothing should have been dropped for \"\(reasons[0])\", and it was: \(reason)"
      }
    case .zeroes(let because):
      guard result.dropped == 0, reason.contains(because), reason.contains("with zeroes instead")
      else {
        return "the guest should have filled zeroes for \"\(because)\", and it was: \(reason)"
      }
      guard result.zeroed > 0, let comparison, comparison.isDropped(atLeast: 1) else {
        return
          "the guest filled \(result.zeroed) pages with zeroes, and some travelled as they were"
      }
    case .fails: break
    }
    return nil
  }
}
