import Synchronization

/// Hands out numbers to several threads.
final class Counter: Sendable {
  private let value = Atomic<Int>(0)

  /// The first of the next `count` numbers.
  func take(_ count: Int) -> Int { value.add(count, ordering: .relaxed).oldValue }

  var taken: Int { value.load(ordering: .relaxed) }
}
