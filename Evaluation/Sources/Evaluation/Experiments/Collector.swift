import EvaluationReport
import Lab

/// Takes the runs as they end, and writes them all down each time: an evaluation that is interrupted
/// keeps what it has.
final class Collector {
  private(set) var record: EvaluationRecord
  private(set) var failures = 0
  /// No run begins when this has passed, in nanoseconds of ``HostClock``; nil where time has no limit.
  var deadline: UInt64?
  private var unbegun = 0
  private let session: Run.Session
  private let file: String
  private let bench: Bench

  /// - Parameters:
  ///   - session: of the runs that are added.
  ///   - file: where the raw data goes.
  /// - Throws: where it cannot go there, which is better known now than in an hour.
  init(
    _ record: EvaluationRecord, session: Run.Session, file: String, bench: Bench
  ) throws(LabError) {
    self.record = record
    self.session = session
    self.file = file
    self.bench = bench
    try record.write(toFile: file)
  }

  /// The numbers of so many more repetitions: what is appended to raw data goes on counting, and with
  /// it the seeds.
  ///
  /// - Parameters:
  ///   - share: of the memory in the cache; nil counts runs with any.
  ///   - link: likewise.
  func repetitions(
    _ count: Int, of experiment: Experiment, share: Int? = nil, link: String? = nil
  ) -> ClosedRange<Int> {
    let done = record.runs.filter { run in
      run.experiment == experiment
        && (share ?? run.conditions.cacheShare) == run.conditions.cacheShare
        && (link ?? run.conditions.link) == run.conditions.link
    }
    let last = done.map(\.repetition).max() ?? 0
    return (last + 1)...(last + count)
  }

  /// How often a run is carried out again that other programs disturbed.
  private func again(_ run: Run) -> Int { bench.isQuick && !Goal.isJudged(by: run) ? 0 : 1 }

  /// Says how many runs count for nothing, where there are any.
  func sayWhatIsLeftOut() {
    if unbegun > 0 { bench.say("\(unbegun) runs were not begun, because their time was over") }
    let disturbed = record.runs.count { $0.isDisturbed }
    guard disturbed > 0 else { return }
    bench.say(
      "\(disturbed) of \(record.runs.count) runs are left out, because other programs ran beside them"
    )
  }

  /// Carries a run out and adds it, with its figures or with why it failed; once more where other
  /// programs took a part of the host.
  ///
  /// - Throws: before it begins, where it cannot be compared with the runs that are there already.
  func carryOut(
    _ run: inout Run, _ body: (inout Run) throws(LabError) -> Void
  ) throws(LabError) {
    guard !isOver else {
      unbegun += 1
      return
    }
    var planned = record
    planned.runs.append(run)
    do {
      try planned.requireComparableRuns()
    } catch {
      throw LabError("\(run.label) cannot be added to \(file): \(error.sentence)")
    }
    let plan = run
    let again = again(plan)
    for attempt in 0...again where attempt == 0 || !isOver {
      run = plan
      carryOutOnce(&run, body)
      guard run.isDisturbed else { return }
      let share = (run[.otherPrograms] ?? 0).text(digits: 1)
      bench.say(
        "other programs took \(share) processors meanwhile"
          + (attempt < again ? "; once more" : ""))
    }
  }

  private var isOver: Bool { deadline.map { HostClock.now >= $0 } ?? false }

  private func carryOutOnce(_ run: inout Run, _ body: (inout Run) throws(LabError) -> Void) {
    run.session = session
    do throws(LabError) {
      run[.memoryLatency] = MemoryLatency.nanoseconds()
      try body(&run)
      bench.say("\(run.label): \(run.headline)")
    } catch {
      // An interrupted run is none.
      guard !Cleanup.hasBegun else { return }
      failures += 1
      run.failure = error.sentence
      bench.say("\(run.label) failed: \(error)")
    }
    record.runs.append(run)
    do throws(LabError) {
      try record.write(toFile: file)
    } catch {
      failures += 1
      bench.say(error.sentence)
    }
  }
}

extension Run {
  /// What it is, in a line of the log.
  var label: String {
    let what = [
      experiment.rawValue, method?.title, "\(conditions.cacheShare) %", conditions.link,
      "\(conditions.mix) \(conditions.keys)",
    ]
    return what.compactMap { $0 }.joined(separator: ", ") + ", run \(repetition)"
  }

  /// What it came to, in a line of the log.
  var headline: String {
    let parts: [(Figure, String, Double, Int)] = [
      (.total, "s", 1, 2), (.wireBytes, "MB", 1e6, 0), (.downtimeClient, "ms", 1, 0),
      (.prepare, "s prepare", 1, 2), (.refault, "s refault", 1, 1),
      (.secondsTo90, "s to 90 %", 1, 1), (.cacheUsed, "MB cache", 1e6, 0),
      (.pageCache, "MB page cache", 1e6, 0), (.rest, "MB rest", 1e6, 0),
      (.memoryLatency, "ns for a read of the host's memory", 1, 0),
    ]
    let texts = parts.compactMap { figure, unit, divisor, digits in
      self[figure].map { "\(($0 / divisor).text(digits: digits)) \(unit)" }
    }
    return texts.joined(separator: ", ") + (self[.converged] == 0 ? ", did not converge" : "")
  }
}
