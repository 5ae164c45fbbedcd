/// Who is who among the connections of one migration, and which of them may be made to the
/// destination now. A value without sockets, so that every order of arrival can be tried.
///
/// The destination tells channels apart by less than the proxy can (`migration.c`,
/// migration_ioc_process_incoming): up to 7.2 the first connection is the main one; later ones look
/// for a magic number, and block their main loop until it is there; after the main one and all
/// multifd ones, whatever comes is the preempt channel, which never says who it is. So the main one
/// is dialled first, every other only after it, one that has a magic number only with it in hand,
/// and the preempt channel at once but last. A destination from 9.0 on does not start the guest
/// before the preempt channel is there: each moment that it waits here is downtime. So as soon as a connection
/// after the main one is silent, the destination is given a preempt channel; whose it is shows when one of
/// those that are silent speaks. The destination would not take a second one in its place
/// (`migration.c`, migration_has_all_channels), so it is no matter which of them came first, or has gone.
struct ChannelRoster {
  /// Which channels the source's settings announce.
  struct Expectation: Equatable, Sendable {
    /// nil where the source could not be asked.
    var multifd: Int?
    var preempt = false
  }

  enum Decision: Equatable, Sendable {
    case dial(ChannelRole)
    /// Make the preempt channel's connection to the destination, and go on waiting for a first byte.
    case reserve
    /// Nobody at the destination would know what to do with it.
    case refuse(String)
  }

  private static let stranger = """
    it begins with bytes that begin no channel of a migration; something else than the source has \
    connected
    """

  private enum Phase: Equatable {
    case silent
    case spoke(ChannelKind)
    case dialling(ChannelRole)
    case established(ChannelRole)
    /// The source has ended it; what the destination still says is awaited.
    case ending(ChannelRole)
  }

  /// The preempt channel's connection to the destination. It is vacant until one of the silent ones speaks; once
  /// it has been used, a main channel that recovers gets another, and nobody before.
  private enum PreemptLeg { case missing, dialling, vacant, used }

  /// Connections by the order of their arrival.
  private var phases: [Int: Phase] = [:]
  private var arrivals = 0
  private var preemptLeg = PreemptLeg.missing
  /// Known soon after the main channel has been dialled.
  private(set) var expected: Expectation?
  /// Nothing more is dialled.
  private(set) var isClosed = false

  mutating func accepted() -> Int {
    defer { arrivals += 1 }
    phases[arrivals] = .silent
    return arrivals
  }

  mutating func spoke(_ id: Int, as kind: ChannelKind) { phases[id] = .spoke(kind) }

  mutating func expects(_ expectation: Expectation) { expected = expectation }

  mutating func dialling(_ id: Int, as role: ChannelRole) {
    phases[id] = .dialling(role)
    if role == .preempt { preemptLeg = .used }
  }

  mutating func reserving() { preemptLeg = .dialling }

  /// - Returns: false where there is no such connection, or the main channel has ended meanwhile.
  @discardableResult
  mutating func reserved(_ isDone: Bool) -> Bool {
    guard preemptLeg == .dialling else { return false }
    preemptLeg = isDone ? .vacant : .missing
    return isDone
  }

  mutating func established(_ id: Int) {
    if case .dialling(let role) = phases[id] { phases[id] = .established(role) }
  }

  /// Nothing more comes from the source. Connections after it belong to a recovery, whose main
  /// channel is silent at first.
  mutating func ending(_ id: Int) {
    guard case .established(let role) = phases[id] else { return }
    phases[id] = .ending(role)
    if role.isMain { preemptLeg = .missing }
  }

  /// The connection is over, or never became anything.
  mutating func ended(_ id: Int) {
    if phases[id] == .dialling(.preempt) { preemptLeg = .missing }
    phases[id] = nil
  }

  mutating func close() { isClosed = true }

  /// What is to be done with a connection; nil means wait.
  func decision(for id: Int) -> Decision? {
    if isClosed { return .refuse("the migration is over") }
    switch phases[id] {
    case .silent:
      return announcesPreempt(id) ? .reserve : nil
    case .spoke(.main):
      return mainTaken ? .refuse("the migration has its main channel already") : .dial(.main)
    case .spoke(.recovery):
      // The broken connection's end may not have been noticed yet.
      return mainTaken ? nil : .dial(.opaqueMain(.recovery))
    case .spoke(.encrypted):
      guard mainTaken else { return .dial(.opaqueMain(.encrypted)) }
      // A recovery's, whose broken connection's end may not have been noticed yet.
      guard carriesMain else { return nil }
      // QEMU encrypts all of its channels or none; a destination would take it for another one that it waits for.
      guard roles.contains(.opaqueMain(.encrypted)) else { return .refuse(ChannelRoster.stranger) }
      return mainEstablished ? .dial(.encrypted) : nil
    case .spoke(.multifd):
      guard mainEstablished else { return nil }
      guard let announced = expected?.multifd, count(of: .multifd) >= announced else {
        return .dial(.multifd)
      }
      return .refuse(
        announced == 0
          ? "it begins as a multifd channel, and the source's settings have none"
          : "the migration has all of its multifd channels already")
    case .spoke(.other):
      return .refuse(ChannelRoster.stranger)
    case .spoke(.pageRecord):
      // Only a preempt channel begins like this, and only after the main one.
      guard mainTaken, !precedesMain(id) else { return .refuse(ChannelRoster.stranger) }
      guard let expected else { return nil }
      guard expected.preempt else { return .refuse(ChannelRoster.stranger) }
      // After a broken one it is the recovery's.
      guard mainAndMultifdEstablished, preemptLeg == .missing || preemptLeg == .vacant else {
        return nil
      }
      return .dial(.preempt)
    case .dialling, .established, .ending, nil:
      return nil
    }
  }

  /// Whether a connection was accepted before the main one, which a source makes first: it belongs to no
  /// migration, or to one that was given up before its main channel spoke.
  func precedesMain(_ id: Int) -> Bool {
    phases.contains {
      switch $0.value {
      case .dialling(let role), .established(let role), .ending(let role):
        role.isMain && id < $0.key
      default: false
      }
    }
  }

  /// How many connections have no part yet.
  var undecided: Int {
    phases.values.count {
      switch $0 {
      case .silent, .spoke: true
      case .dialling, .established, .ending: false
      }
    }
  }

  /// Connections that have said nothing and are nothing yet, oldest first.
  var silent: [Int] { phases.filter { $0.value == .silent }.keys.sorted() }

  var establishedRoles: [ChannelRole] {
    phases.sorted { $0.key < $1.key }.compactMap {
      if case .established(let role) = $0.value { role } else { nil }
    }
  }

  /// Whether the destination has been given a preempt channel, whoever it belongs to.
  var hasPreemptLeg: Bool { preemptLeg == .vacant || preemptLeg == .used }

  private func announcesPreempt(_ id: Int) -> Bool {
    guard let expected, expected.preempt, mainAndMultifdEstablished else { return false }
    // Behind an encrypted main channel all others begin with a handshake, and a source up to 7.2
    // answers nothing before it is over: who is silent there is only slow.
    guard !roles.contains(.opaqueMain(.encrypted)) else { return false }
    // QEMU makes it after the main one (migration/postcopy-ram.c, postcopy_preempt_setup), so an older one is a
    // stranger's, a health check's for instance.
    guard !precedesMain(id) else { return false }
    return preemptLeg == .missing
  }

  private var mainAndMultifdEstablished: Bool {
    guard let expected, mainEstablished else { return false }
    // Post-copy brings no multifd channel back.
    guard !roles.contains(.opaqueMain(.recovery)) else { return true }
    return establishedRoles.count { $0 == .multifd } >= expected.multifd ?? 0
  }

  private var mainEstablished: Bool { establishedRoles.contains(where: \.isMain) }

  /// A main channel is carried or about to be, and what else comes belongs to it.
  var carriesMain: Bool {
    phases.values.contains {
      switch $0 {
      case .dialling(let role), .established(let role): role.isMain
      default: false
      }
    }
  }

  private func count(of role: ChannelRole) -> Int { roles.count { $0 == role } }

  /// A main channel is carried, about to be, or being wound up.
  var mainTaken: Bool { roles.contains(where: \.isMain) }

  private var roles: [ChannelRole] {
    phases.values.compactMap {
      switch $0 {
      case .dialling(let role), .established(let role), .ending(let role): role
      default: nil
      }
    }
  }
}
