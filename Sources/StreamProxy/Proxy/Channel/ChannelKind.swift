/// What a connection of the source is, told by the first bytes that it sends.
///
/// Only some kinds have a magic number; a post-copy preempt channel has none and stays silent until
/// the guest runs at the destination, and libvirt opens the main one before it has anything to say.
enum ChannelKind: Equatable, Sendable {
  /// "QEVM" (`savevm.c:qemu_savevm_state_header`).
  case main
  /// MultiFDInit_t begins with 0x11223344 (`multifd.h`, MULTIFD_MAGIC).
  case multifd
  /// A TLS handshake record (RFC 8446, 5.1: type 22, major version 3). It may be any channel.
  case encrypted
  /// The main channel of a post-copy recovery: a command, RECV_BITMAP (10) or POSTCOPY_RESUME (9),
  /// without any preamble.
  case recovery
  /// An offset below 2^48 with flags in its low bits, as a preempt channel's first page record has.
  case pageRecord
  /// No channel of a migration.
  case other

  /// As many bytes tell them apart; every kind begins with at least as many.
  static let bytesNeeded = 4

  /// - Precondition: at least ``bytesNeeded`` bytes.
  init(firstBytes bytes: some Collection<UInt8>) {
    let first = Array(bytes.prefix(ChannelKind.bytesNeeded))
    precondition(first.count == ChannelKind.bytesNeeded)
    self =
      switch (first[0], first[1], first[2], first[3]) {
      case (0x51, 0x45, 0x56, 0x4d): .main
      case (0x11, 0x22, 0x33, 0x44): .multifd
      case (0x16, 0x03, _, _): .encrypted
      case (0x08, 0x00, 0x09, _), (0x08, 0x00, 0x0a, _): .recovery
      case (0x00, 0x00, _, _): .pageRecord
      default: .other
      }
  }
}

/// What a channel is carried as, once it is clear.
enum ChannelRole: Equatable, Sendable {
  /// The editor looks at it, and the return path runs on it.
  case main
  /// The main channel, but it is passed on as it is: TLS, or a post-copy recovery.
  case opaqueMain(ChannelKind)
  case multifd
  case preempt
  /// A channel behind TLS that is not the first.
  case encrypted

  var isMain: Bool {
    switch self {
    case .main, .opaqueMain: true
    case .multifd, .preempt, .encrypted: false
    }
  }
}

extension ChannelRole: CustomStringConvertible {
  var description: String {
    switch self {
    case .main: "main"
    case .opaqueMain(.recovery): "recovery"
    case .opaqueMain: "main, encrypted"
    case .multifd: "multifd"
    case .preempt: "postcopy-preempt"
    case .encrypted: "encrypted"
    }
  }
}
