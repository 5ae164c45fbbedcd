/// How a database is opened; the names in `configuration` are those of `wiredtiger_open`.
public struct DatabaseOptions: Sendable {
  /// Path of WiredTiger's snappy extension.
  public var snappy: String
  public var cacheMiB: Int
  /// Whether table files are read and written past the kernel's page cache.
  public var usesDirectIO = false
  public var creates = false
  /// Whether `WIREDTIGER_CONFIG` counts.
  public var honoursEnvironment = true

  public static let defaultSnappy = "/usr/lib/x86_64-linux-gnu/libwiredtiger_snappy.so"

  public init(snappy: String = defaultSnappy, cacheMiB: Int) {
    self.snappy = snappy
    self.cacheMiB = cacheMiB
  }

  /// The cache may fill to 95 %, so that a cache sized like the data holds all of it. Commits do
  /// not wait for the journal, which WiredTiger's own thread writes every 50 ms, as document databases
  /// do by default: a crash loses the last moments, and never part of a transaction.
  var configuration: String {
    var parts = [
      "cache_size=\(cacheMiB)MB", "extensions=[\"\(snappy)\"]", "statistics=(fast)",
      "eviction=(threads_min=1,threads_max=2)", "eviction_target=95", "eviction_trigger=98",
      "config_base=false", "log=(enabled=true,archive=true,file_max=16MB)",
      "transaction_sync=(enabled=false)",
    ]
    if creates { parts.append("create") }
    if usesDirectIO { parts.append("direct_io=[data]") }
    if !honoursEnvironment { parts.append("use_environment=false") }
    return parts.joined(separator: ",")
  }
}
