import Glibc

/// Whom the kernel kills first where a host's memory runs out (proc(5), oom_score_adj).
public enum OutOfMemoryScore {
  /// A proxy that is killed while the destination starts the guest leaves nobody who knows which side has it,
  /// and its memory would help nobody.
  private static let wanted = "-900"

  /// Lowers this process's, where it may: as root, or with CAP_SYS_RESOURCE.
  public static func lower() {
    // The path is a string for the duration of the call.
    let file = unsafe open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    // Alive during the call; a refusal changes nothing.
    _ = unsafe wanted.withCString { text in unsafe write(file, text, wanted.utf8.count) }
  }
}
