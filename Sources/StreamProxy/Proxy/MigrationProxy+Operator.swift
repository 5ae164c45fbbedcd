// What an operator's requests come to.

extension MigrationProxy {
  /// On a thread of the operator's socket.
  func answer(_ request: OperatorRequest) throws(OperatorError) -> any Encodable {
    switch request {
    case .status:
      return ProgressReport(
        progress.now, isPastReturn: pointOfNoReturn.isPassed, target: channels.target)
    case .retarget(let address):
      if let refusal = channels.retarget(address) { throw OperatorError(refusal) }
      logger.notice("the operator retargets: the destination is at \(address)")
      return ["target": address.description]
    case .stop:
      logger.notice("the operator stops the migration")
      guard tryInterrupt() else {
        throw OperatorError(reasonToGoOn)
      }
      return ["stopped": true]
    }
  }
}
