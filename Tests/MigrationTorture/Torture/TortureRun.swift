import FoundationEssentials
import Lab
import StreamProxy

/// All rounds, one after the other.
struct TortureRun {
  let bench: Bench
  let seed: UInt64
  let numbers: Range<Int>
  /// No round begins later; 0 is no limit.
  let seconds: Double
  /// Where the logs of rounds go in which something was lost.
  let keptLogs: String

  /// See ``RoundPlan``.
  var only: Fault?
  var plain = false

  private(set) var tally = Tally()
  /// So many guests in a row that do not boot are no accident.
  private static let mostFailedBoots = 3
  private var expectedSeconds = 6.0
  private let startedAt = HostClock.now

  init(bench: Bench, seed: UInt64, numbers: Range<Int>, seconds: Double, keptLogs: String) {
    self.bench = bench
    self.seed = seed
    self.numbers = numbers
    self.seconds = seconds
    self.keptLogs = keptLogs
  }

  /// - Throws: where no guest can be booted; ``tally`` has what there was until then.
  mutating func execute() throws(LabError) {
    var guest: Guest?
    for number in numbers {
      if seconds > 0, HostClock.seconds(from: startedAt, to: HostClock.now) > seconds { break }
      let began = HostClock.now
      let here: Guest
      if let guest { here = guest } else { here = try boot(number) }
      let plan = RoundPlan(seed: seed, number: number, only: only, plain: plain)
      let round = Round(plan: plan, bench: bench, expectedSeconds: expectedSeconds)
      let result = round.execute(here)
      // What an interrupt ends is no round.
      if Cleanup.hasBegun { break }
      guest = result.guest
      count(plan, result)
      report(plan, result, began)
    }
  }

  private mutating func boot(_ number: Int) throws(LabError) -> Guest {
    var failures = 0
    while true {
      do throws(LabError) {
        return try bench.bootGuest("guest\(number)")
      } catch {
        if Cleanup.hasBegun { throw error }
        failures += 1
        tally.add(.hang(error.sentence))
        Terminal.complain("no guest boots: \(error)")
        keepLogs(of: number)
        guard failures < TortureRun.mostFailedBoots else { throw error }
      }
    }
  }

  private mutating func count(_ plan: RoundPlan, _ result: Round.Result) {
    tally.rounds += 1
    if plan.isPlain { tally.plainRounds += 1 }
    if result.wasInPostcopy { tally.postcopyRounds += 1 }
    tally.faults[plan.fault, default: 0] += 1
    if result.struckDuring { tally.struckDuring[plan.fault, default: 0] += 1 }
    if result.place == .destination { tally.arrivals[plan.fault, default: 0] += 1 }
    tally.pagesDropped += result.pagesDropped
    for incident in result.incidents { tally.add(incident) }
    if let seconds = result.undisturbedSeconds {
      expectedSeconds = (expectedSeconds + seconds) / 2
    }
  }

  private func report(_ plan: RoundPlan, _ result: Round.Result, _ began: UInt64) {
    let tenths = Int(HostClock.seconds(from: began, to: HostClock.now) * 10)
    Terminal.complain(
      "\(plan.number)".leftPadded(to: 4) + "  "
        + "\(tenths / 10).\(tenths % 10) s".leftPadded(to: 7)
        + "  \(plan.fault.rawValue)\(plan.fault == .lyingHook ? " (\(plan.lie))" : "")"
        + "\(plan.isPlain ? ", plain" : "")\(result.wasInPostcopy ? ", post-copy" : "")"
        + "\(plan.fault == .none || result.struckDuring ? "" : ", struck late"): \(result.note)")
    for incident in result.incidents { Terminal.complain("      \(incident)") }
    if !result.incidents.isEmpty { keepLogs(of: plan.number) }
  }

  private func keepLogs(of number: Int) {
    let target = "\(keptLogs)/seed\(seed)-round\(number)"
    let manager = FileManager.default
    try? manager.createDirectory(atPath: keptLogs, withIntermediateDirectories: true)
    try? manager.removeItem(atPath: target)
    guard (try? manager.copyItem(atPath: bench.files.logs, toPath: target)) != nil else { return }
    Terminal.complain("      logs are kept in \(target)")
  }
}
