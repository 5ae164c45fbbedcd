import Synchronization

/// What the proxy changes in a source QEMU for one migration, and puts back.
///
/// All methods may be called from any blocking thread; they exclude one another.
final class MigrationSetup: Sendable {
  /// What ``prepare(changing:)`` found and did.
  struct Preparation: Equatable, Sendable {
    /// As they are now.
    var capabilities: MigrationCapabilities
    /// Capabilities that were off and have been turned on.
    var turnedOn: [String]
    /// What QEMU refused to turn on, one sentence each.
    var refusals: [String]
  }

  /// What ``pin(bytesPerSecond:)`` did.
  enum Pinning: Equatable, Sendable {
    case pinned
    /// QEMU before 8.2 has no `avail-switchover-bandwidth`.
    case unsupported
    /// ``restore()`` came before: nothing is changed any more.
    case restored
  }

  /// What ``scaleDowntimeLimit(by:)`` did.
  enum Scaling: Equatable, Sendable {
    /// The limit is this now, in milliseconds.
    case set(UInt64)
    /// ``restore()`` came before: nothing is changed any more.
    case restored
  }

  /// The proxy needs to learn of a failure before the source reports success, and to follow rounds.
  static let wanted = ["return-path", "events"]

  /// Capabilities that do not bear it: COLO speaks its own protocol on the return path (`colo.c`), and
  /// a snapshot has none. Nothing is edited with either.
  private static let unbearing = ["x-colo", "background-snapshot"]

  private struct Changes {
    var isOpen = false
    var capabilities: [String] = []
    var bandwidth: (before: UInt64, pinned: UInt64)?
    /// In milliseconds.
    var downtimeLimit: (before: UInt64, scaled: UInt64)?
  }

  private let client: QMPClient
  private let changes = Mutex(Changes())

  init(client: QMPClient) { self.client = client }

  /// Reads what is set and turns on ``wanted`` where it is off; QEMU allows that only while no
  /// migration runs, and a refusal is reported and not fatal.
  ///
  /// - Parameter changing: false leaves everything as it is.
  /// - Throws: where QEMU does not answer; then what was turned on is off again, as far as it can be.
  func prepare(changing: Bool = true) throws(QMPError) -> Preparation {
    do throws(QMPError) {
      return try turnOn(changing: changing)
    } catch {
      _ = restore()
      throw error
    }
  }

  private func turnOn(changing: Bool) throws(QMPError) -> Preparation {
    try changes.withLock { changes throws(QMPError) in
      changes.isOpen = true
      var turnedOn: [String] = []
      var refusals: [String] = []
      let before = try client.migrateCapabilities()
      let changing = changing && !MigrationSetup.unbearing.contains { before[$0] == true }
      for name in MigrationSetup.wanted where changing && before[name] == false {
        // Recorded first: should the answer get lost, it may still have been turned on.
        changes.capabilities.append(name)
        do throws(QMPError) {
          try client.setMigrateCapabilities([name: true])
          turnedOn.append(name)
        } catch .refused(_, _, let description) {
          changes.capabilities.removeLast()
          refusals.append("QEMU does not turn on \(name): \(description)")
        }
      }
      return Preparation(
        capabilities: try .read(from: client), turnedOn: turnedOn, refusals: refusals)
    }
  }

  /// Has QEMU reckon with `bytesPerSecond` when it decides whether what is left fits into the
  /// downtime limit, in place of its own estimate, which counts dropped pages as sent.
  ///
  /// May be repeated, also while a migration runs; the value before the first is what
  /// ``restore()`` puts back.
  func pin(bytesPerSecond: UInt64) throws(QMPError) -> Pinning {
    try changes.withLock { changes throws(QMPError) in
      guard changes.isOpen else { return .restored }
      let before: UInt64
      if let known = changes.bandwidth {
        before = known.before
      } else {
        guard let current = try client.migrateParameters().availSwitchoverBandwidth else {
          return .unsupported
        }
        before = current
      }
      // Recorded first: should the answer get lost, the value may still have been set.
      let former = changes.bandwidth
      changes.bandwidth = (before, bytesPerSecond)
      do throws(QMPError) {
        try client.setMigrateParameters(
          MigrationParameters(availSwitchoverBandwidth: bytesPerSecond))
      } catch {
        if case .refused = error { changes.bandwidth = former }
        throw error
      }
      return .pinned
    }
  }

  /// Has QEMU stop the guest only when what is left fits into a share of its downtime limit; for
  /// releases that know no `avail-switchover-bandwidth`.
  ///
  /// May be repeated, also while a migration runs, always with the share of what the operator has
  /// set: a limit that is not the last scaled one is a new wish of theirs.
  ///
  /// - Parameter factor: more than 0 and at most 1.
  func scaleDowntimeLimit(by factor: Double) throws(QMPError) -> Scaling {
    precondition(factor > 0 && factor <= 1)
    return try changes.withLock { changes throws(QMPError) in
      guard changes.isOpen else { return .restored }
      guard let current = try client.migrateParameters().downtimeLimit else {
        throw .unexpectedReply(
          command: "query-migrate-parameters", detail: "there is no downtime-limit")
      }
      let former = changes.downtimeLimit
      let before = former?.scaled == current ? former?.before ?? current : current
      // QEMU takes whole milliseconds, and with none it never stops the guest.
      let scaled = min(before, max(1, UInt64((Double(before) * factor).rounded())))
      guard scaled != current else { return .set(scaled) }
      // Recorded first: should the answer get lost, the value may still have been set.
      changes.downtimeLimit = (before, scaled)
      do throws(QMPError) {
        try client.setMigrateParameters(MigrationParameters(downtimeLimit: scaled))
      } catch {
        if case .refused = error { changes.downtimeLimit = former }
        throw error
      }
      return .set(scaled)
    }
  }

  /// Puts back exactly what was changed; what somebody else has changed again since stays.
  ///
  /// Capabilities can be put back only when no migration runs. What could not be put back is tried
  /// again by the next call; with nothing left to do a call does nothing.
  ///
  /// - Returns: what could not be put back, one sentence each.
  func restore() -> [String] {
    changes.withLock { changes in
      changes.isOpen = false
      var problems: [String] = []
      do throws(QMPError) {
        try restoreBandwidth(&changes)
      } catch {
        problems.append("avail-switchover-bandwidth is not put back: \(error)")
      }
      do throws(QMPError) {
        try restoreDowntimeLimit(&changes)
      } catch {
        problems.append("downtime-limit is not put back: \(error)")
      }
      var left: [String] = []
      for name in changes.capabilities {
        do throws(QMPError) {
          try client.setMigrateCapabilities([name: false])
        } catch {
          problems.append("capability \(name) is not turned off again: \(error)")
          left.append(name)
        }
      }
      changes.capabilities = left
      return problems
    }
  }

  private func restoreDowntimeLimit(_ changes: inout Changes) throws(QMPError) {
    guard let (before, scaled) = changes.downtimeLimit else { return }
    if try client.migrateParameters().downtimeLimit == scaled {
      try client.setMigrateParameters(MigrationParameters(downtimeLimit: before))
    }
    changes.downtimeLimit = nil
  }

  private func restoreBandwidth(_ changes: inout Changes) throws(QMPError) {
    guard let (before, pinned) = changes.bandwidth else { return }
    if try client.migrateParameters().availSwitchoverBandwidth == pinned {
      try client.setMigrateParameters(MigrationParameters(availSwitchoverBandwidth: before))
    }
    changes.bandwidth = nil
  }
}
