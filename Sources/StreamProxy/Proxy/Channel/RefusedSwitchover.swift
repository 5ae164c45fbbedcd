import Threads

/// How a source gets its guest back when post-copy's point of no return is refused: by the judge, by an operator who
/// stops the proxy just then, or because a channel or the destination has failed.
///
/// Closing its connection there is not enough: a source that had sent everything that belongs to the
/// switchover waits for a recovery that no destination can give it (`postcopy_pause`), and one that had
/// not stays in the state `device` (QEMU 10.0, `postcopy_start`, both in migration/migration.c); no
/// command makes its guest run again then. A source that comes to the end of its stream and has heard
/// that the destination failed lets its guest go on (`migration_completion`). So the destination is cut
/// off, the source is told, and what it still sends goes nowhere.
enum RefusedSwitchover {
  /// Two messages of the return path, each with 4 bytes of payload: PONG to the package (MIG_RP_MSG_PONG,
  /// QEMU_VM_PING_PACKAGED_LOADED), without which QEMU 10.2 waits for ever at the end of its stream
  /// (`migration_iteration_run`), and SHUT (MIG_RP_MSG_SHUT) with an error: the destination has failed.
  static let failure: [UInt8] = [0, 2, 0, 4, 0, 0, 0, 0x42, 0, 1, 0, 4, 0, 0, 0, 1]
  /// How long the source may say nothing before its channel is closed after all.
  private static let patience = Duration.seconds(10)

  /// Whether a source with these settings can be switched to post-copy (dirty bitmaps can without the memory:
  /// migrate_postcopy in migration/options.c), and takes its guest back whole. With release-ram it gives memory
  /// away that it has sent, and before QEMU 10.0 it would not open its disks again.
  static func isPossible(with capabilities: MigrationCapabilities, of version: QEMUVersion) -> Bool
  {
    (capabilities.postcopyPossible || capabilities.enabled.contains("dirty-bitmaps"))
      && version.major >= 10
      && !capabilities.enabled.contains("release-ram")
  }

  /// Reads what a source sends to its end, for nobody.
  ///
  /// - Parameter isWaiting: whether one that has been silent for a while is not done.
  static func drain(_ source: Socket, unless isWaiting: () -> Bool) {
    unsafe withUnsafeTemporaryAllocation(byteCount: 256 * 1024, alignment: 4096) { buffer in
      while true {
        guard waitReadable(source.descriptor, or: nil, for: patience) == .ready else {
          if isWaiting() { continue }
          return
        }
        // The buffer lives in this closure, and nothing of it is looked at.
        guard let count = try? unsafe source.read(into: buffer), count > 0 else { return }
      }
    }
  }
}
