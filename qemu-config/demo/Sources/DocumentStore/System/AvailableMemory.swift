/// MemAvailable of /proc/meminfo: what can be taken without swapping.
public enum AvailableMemory {
  /// nil where it cannot be read.
  public static var bytes: UInt64? { GuestUsage.memory()["MemAvailable"] }
}
