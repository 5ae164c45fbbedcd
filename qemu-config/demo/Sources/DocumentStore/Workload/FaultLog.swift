import Synchronization

/// Says each kind of fault once on standard error; a damaged page would otherwise print thousands.
public final class FaultLog: Sendable {
  private let seen = Mutex<Set<String>>([])

  public init() {}

  public func note(_ fault: OperationFault, recordID: Int64? = nil) {
    let kind = "\(fault)"
    let isNew = seen.withLock { $0.insert(kind).inserted }
    guard isNew else { return }
    let place = recordID.map { "document \($0): " } ?? ""
    logLine("\(place)\(kind) (said once for each kind)")
  }
}
