import HookLink

/// How the last migration ended, said more than once: when the host's side of a port closes, QEMU throws
/// away what it had not read yet, and a side that closes and opens at once is not seen to by the guest.
struct LastWord {
  private static let interval: UInt64 = .milliseconds(2000)
  private static let times = 10

  let id: MigrationID
  let message: GuestMessage.Resumed
  private var said = 0
  private var due: UInt64 = 0

  init(id: MigrationID, message: GuestMessage.Resumed) {
    self.id = id
    self.message = message
  }

  var isDue: Bool { said < LastWord.times && monotonicNanoseconds() >= due }

  /// How long to wait until it is to be said again; nil when it has been said often enough.
  var millisecondsUntilNext: Int32? {
    guard said < LastWord.times else { return nil }
    let now = monotonicNanoseconds()
    return due > now ? Int32((due - now) / 1_000_000) + 1 : 0
  }

  mutating func wasSaid() {
    said += 1
    due = monotonicNanoseconds() + LastWord.interval
  }

  /// For somebody who has just come.
  mutating func startAgain() {
    said = 0
    due = 0
  }
}
