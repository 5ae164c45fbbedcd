/// How a migration ended, as far as the proxy can tell.
public enum MigrationOutcome: Equatable, Sendable {
  /// The destination has the guest.
  case completed
  /// The proxy closed both legs before the point of no return; the source guest goes on, but for a
  /// post-copy that was refused where that is not possible (``RefusedSwitchover``).
  case failed(String)
  /// The destination refused, failed, died or ended the stream; its end was passed on to the source.
  case destinationEnded(String)
  /// The source cancelled, reported a failure, or ended the stream before it was complete.
  case sourceEnded(String)
  /// The source has ended after the point of no return, or where nobody saw that point, and neither it
  /// nor the destination says what the migration came to.
  case unknown(String)
  /// The operator stopped the proxy before the point of no return.
  case interrupted

  /// What `leafcutter proxy` exits with.
  public var exitCode: Int32 {
    switch self {
    case .completed: ExitStatus.completed
    case .failed: ExitStatus.failed
    case .destinationEnded: ExitStatus.destinationEnded
    case .sourceEnded: ExitStatus.sourceEnded
    case .interrupted: ExitStatus.interrupted
    case .unknown: ExitStatus.unknown
    }
  }

  /// One word, for the summary.
  public var word: String {
    switch self {
    case .completed: "completed"
    case .failed: "failed"
    case .destinationEnded: "destination-ended"
    case .sourceEnded: "source-ended"
    case .interrupted: "interrupted"
    case .unknown: "unknown"
    }
  }

  public var reason: String? {
    switch self {
    case .completed: nil
    case .failed(let reason), .destinationEnded(let reason), .sourceEnded(let reason): reason
    case .unknown(let reason):
      """
      it is not known which side has the guest: \(reason), and neither QMP nor the destination says what \
      the migration came to; ask both QEMUs with query-status before you start either guest
      """
    case .interrupted: "the proxy was stopped by its operator"
    }
  }

  /// The destination may have the guest, so what is still under way to it has to arrive.
  var mayBeComplete: Bool {
    switch self {
    case .completed, .unknown: true
    case .failed, .destinationEnded, .sourceEnded, .interrupted: false
    }
  }
}

/// The exit codes of `leafcutter proxy`. Wrong flags are 64 (EX_USAGE of sysexits.h).
public enum ExitStatus {
  /// ``MigrationOutcome/completed``.
  public static let completed: Int32 = 0
  /// Refused before anything started: a socket, the NUMA node or the summary's file cannot be used.
  public static let refused: Int32 = 2
  /// ``MigrationOutcome/failed(_:)``.
  public static let failed: Int32 = 3
  /// ``MigrationOutcome/destinationEnded(_:)``.
  public static let destinationEnded: Int32 = 4
  /// ``MigrationOutcome/sourceEnded(_:)``.
  public static let sourceEnded: Int32 = 5
  /// ``MigrationOutcome/interrupted``.
  public static let interrupted: Int32 = 6
  /// Not known which side has the guest.
  public static let unknown: Int32 = 7
}
