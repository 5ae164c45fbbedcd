import FoundationEssentials
import Lab

/// The raw data: every run of one or several invocations on one machine, or, where the data of several was
/// put together, of each experiment on one.
package struct EvaluationRecord: Codable, Sendable {
  /// Where it was measured, in words, by name.
  package var machine: [String: String]
  /// In the order of time.
  package var runs: [Run] = []
  /// Where the experiments were measured that were not measured on `machine`.
  var otherMachines: [Experiment: [String: String]] = [:]

  private enum CodingKeys: CodingKey { case machine, runs }

  package init(machine: [String: String]) { self.machine = machine }

  /// - Throws: where the file is not there or is none of ours.
  package init(file: String) throws(LabError) {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw LabError("the raw data \(file) cannot be read")
    }
    do {
      self = try JSONDecoder().decode(EvaluationRecord.self, from: data)
    } catch {
      throw LabError("\(file) is no raw data of an evaluation: \(error)")
    }
  }

  /// Writes it beside the file and puts it in its place, so that an interrupted run leaves what was
  /// there before.
  package func write(toFile path: String) throws(LabError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    do {
      try encoder.encode(self).write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw LabError("cannot write the raw data to \(path): \(error)")
    }
  }

  func machine(of experiment: Experiment) -> [String: String] {
    otherMachines[experiment] ?? machine
  }

  /// How often the full evaluation measures each point.
  package static let repetitions = 5

  /// The runs of one experiment that did not fail and that other programs did not disturb. Migrations that
  /// did not converge are among them.
  package func undisturbedRuns(of experiment: Experiment) -> [Run] {
    runs.filter { $0.experiment == experiment && $0.failure == nil && !$0.isDisturbed }
  }

  /// Of those, the runs whose migration came to its end: their figures count.
  package func countedRuns(of experiment: Experiment, _ method: Method? = nil) -> [Run] {
    let runs = undisturbedRuns(of: experiment).converged
    guard let method else { return runs }
    return runs.filter { $0.method == method }
  }

  /// The same runs, those that other programs disturbed reckoned with like the others.
  var countingDisturbedRuns: EvaluationRecord {
    var record = self
    for index in runs.indices { record.runs[index][.otherPrograms] = nil }
    return record
  }
}

extension [Run] {
  /// Those that did not give up before their migration came to its end.
  package var converged: [Run] { filter { $0[.converged] != 0 } }

  func of(_ method: Method) -> [Run] { filter { $0.method == method } }

  /// The methods that occur, in their order.
  var methods: [Method] {
    let occurring = Set(compactMap(\.method))
    return Method.allCases.filter(occurring.contains)
  }

  /// How a figure lies over these runs; nil where none of them has it.
  package func distribution(of figure: Figure) -> Distribution? {
    Distribution(compactMap { $0[figure] })
  }
}
