/// Why something in the laboratory did not work: one sentence, and what the programs involved logged
/// last.
public struct LabError: Error, Equatable, Sendable, CustomStringConvertible {
  public var sentence: String
  /// Ends of log files, each with its name in front.
  public var logs: [String]

  public init(_ sentence: String, logs: [String] = []) {
    self.sentence = sentence
    self.logs = logs
  }

  /// The same with more logs; those that are there already are left out.
  public func adding(_ more: [String]) -> LabError {
    LabError(sentence, logs: logs + more.filter { !logs.contains($0) })
  }

  public var description: String { ([sentence] + logs).joined(separator: "\n") }
}
