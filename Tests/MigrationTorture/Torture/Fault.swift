/// What goes wrong in a round.
enum Fault: String, CaseIterable, Sendable {
  case none
  case killDatabase = "kill database"
  case killGuardian = "kill guardian"
  case killProxy = "kill proxy"
  case cutLink = "cut link"
  case stallLink = "stall link"
  case killDestination = "kill destination"
  case cancel = "migrate_cancel"
  case reboot
  case resetBeforeStop = "reset before STOP"
  case panic
  case memoryPressure = "memory pressure"
  case lateRevoke = "late revoke"
  case diskFull = "disk full"
  case lyingHook = "lying hook"

  /// Where it has its effect.
  enum Target { case nothing, proxy, migration, guest }

  var target: Target {
    switch self {
    case .none: .nothing
    case .killProxy, .cutLink, .stallLink, .lyingHook: .proxy
    case .killDestination, .cancel: .migration
    case .killDatabase, .killGuardian, .reboot, .resetBeforeStop, .panic, .memoryPressure,
      .lateRevoke, .diskFull:
      .guest
    }
  }

  /// Whether it can be done to a migration without a proxy.
  var fitsPlain: Bool { target != .proxy && self != .lateRevoke }

  /// It is done on the way between the proxy and the hook port.
  var needsRelay: Bool { self == .cutLink || self == .lyingHook }

  /// Whether a guest survives it that runs at the destination while pages of its are at the source.
  var fitsPostcopy: Bool {
    switch self {
    case .killProxy, .killDestination, .cancel, .resetBeforeStop: false
    default: true
    }
  }

  /// It strikes when little is left to be sent, not after a share of the time.
  var isLate: Bool { self == .resetBeforeStop || self == .lateRevoke }

  /// The guest boots again.
  var reboots: Bool { self == .reboot || self == .resetBeforeStop || self == .panic }

  /// The store begins anew.
  var restartsStore: Bool { reboots || self == .killDatabase }

  /// The name by which the guest's script knows it (qemu-config/guest/torture).
  var order: String? {
    switch self {
    case .killDatabase: "kill-database"
    case .killGuardian: "kill-guardian"
    case .reboot: "reboot"
    case .panic: "panic"
    case .memoryPressure, .lateRevoke: "memory"
    default: nil
    }
  }
}
