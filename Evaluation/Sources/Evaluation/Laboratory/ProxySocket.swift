import Lab

/// How the source reaches a proxy on its own host. The kernel keeps 4 MB of what it has written for TCP, and 208 KiB for a
/// unix socket (docs/operating.md).
enum ProxySocket: String {
  case tcp, unix

  /// As QEMU writes it.
  func address(_ files: LabFiles) -> String {
    switch self {
    case .tcp: "tcp:127.0.0.1:4444"
    case .unix: "unix:\(files.sockets)/migration"
    }
  }
}
