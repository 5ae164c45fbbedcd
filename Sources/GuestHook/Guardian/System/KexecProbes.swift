import CGuestSystem

/// The kernel's own word that somebody begins to load another kernel or to start one (kexec_watch.c).
@safe final class KexecProbes: Sendable {
  /// The kernel's; only given to the functions of kexec_watch.c, and ended in deinit.
  private nonisolated(unsafe) let watch: OpaquePointer
  /// Processors that can start one without being seen are those that were plugged in later.
  private let processors = KexecProbes.processorsNow

  /// - Throws: ``SystemError`` where the kernel knows no such probes, or not for this process.
  init() throws(SystemError) {
    guard let watch = unsafe leafcutter_guest_watch_kexec() else {
      throw SystemError("watch for kexec (kprobes of perf_event_open)")
    }
    unsafe self.watch = unsafe watch
  }

  deinit { unsafe leafcutter_guest_end_kexec_watch(watch) }

  /// Readable when somebody has begun, until that is taken.
  var descriptor: Int32 { unsafe leafcutter_guest_kexec_watch_descriptor(watch) }

  func take() { unsafe leafcutter_guest_take_kexec(watch) }

  var coversAllProcessors: Bool { processors == KexecProbes.processorsNow }

  private static var processorsNow: Int32 { leafcutter_guest_online_processors() }
}
