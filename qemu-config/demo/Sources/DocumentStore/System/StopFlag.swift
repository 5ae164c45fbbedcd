import Synchronization

/// Asks long work to end early.
public final class StopFlag: Sendable {
  private let flag = Atomic(false)

  public init() {}

  public func set() { flag.store(true, ordering: .relaxed) }
  public var isSet: Bool { flag.load(ordering: .relaxed) }
}
