import Synchronization

/// The source's `downtime-limit`, as it was when somebody read it last.
final class DowntimeLimit: Sendable {
  private let value = Atomic<UInt64>(0)

  /// nil until it has been read.
  var milliseconds: UInt64? {
    let now = value.load(ordering: .relaxed)
    return now > 0 ? now : nil
  }

  /// nil, which QEMU says of what it does not know, changes nothing.
  func learn(_ milliseconds: UInt64?) {
    if let milliseconds { value.store(milliseconds, ordering: .relaxed) }
  }
}
