import Glibc

/// What processes on the local socket did wrong. Each thing is said once and then again from hour to hour: a
/// database whose extension is of another release comes back every second.
struct PeerComplaints {
  private static let pause: UInt64 = 3_600_000_000_000
  /// As many as there can be peers at once, twice.
  private static let limit = 128
  private var said: [(process: pid_t, complaint: String, at: UInt64)] = []

  /// Whether this is to be said now, on the clock of ``monotonicNanoseconds()``; what is asked about counts as said.
  mutating func isDue(_ complaint: String, of process: pid_t, at now: UInt64) -> Bool {
    said.removeAll { now - $0.at >= PeerComplaints.pause }
    guard !said.contains(where: { $0.process == process && $0.complaint == complaint }) else {
      return false
    }
    if said.count == PeerComplaints.limit { said.removeFirst() }
    said.append((process, complaint, now))
    return true
  }
}
