/// A request that ended in a step that failed.
struct StepFailure: Error {
  var step: String
  var reason: String

  init(_ step: String, _ reason: some CustomStringConvertible) {
    self.step = step
    self.reason = reason.description
  }
}
