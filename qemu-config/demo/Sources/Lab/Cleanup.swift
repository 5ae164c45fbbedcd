import Synchronization

/// What must be undone when the laboratory ends early, whoever ends it: processes, namespaces, files.
public enum Cleanup {
  /// Undone one by one, the newest first; the number identifies an entry for ``forget(_:)``.
  private static let entries = Mutex((next: 0, list: [(id: Int, body: @Sendable () -> Void)]()))

  static func add(_ body: @escaping @Sendable () -> Void) -> Int {
    entries.withLock { entries in
      entries.next += 1
      entries.list.append((entries.next, body))
      return entries.next
    }
  }

  static func forget(_ id: Int) {
    entries.withLock { $0.list.removeAll { $0.id == id } }
  }

  private static let begun = Atomic(false)

  /// Whether the end has come: what fails from now on fails for that.
  public static var hasBegun: Bool { begun.load(ordering: .acquiring) }

  /// Undoes everything that is left; for the end of a program and its signal handlers' threads.
  public static func run() {
    begun.store(true, ordering: .releasing)
    while let entry = entries.withLock({ $0.list.popLast() }) { entry.body() }
  }
}
