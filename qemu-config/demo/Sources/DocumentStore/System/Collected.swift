import Synchronization

/// What several threads hand in, each under its own number.
final class Collected<Value: Sendable>: Sendable {
  private let values = Mutex<[Int: Value]>([:])

  func add(_ index: Int, _ value: Value) {
    values.withLock { $0[index] = value }
  }

  var inOrder: [Value] {
    values.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
  }
}
