import Glibc
import StreamProxy

/// How each relay is started; the programs are those of Debian 12, set as their manuals say is best
/// for bulk data.
struct RelayCommand {
  /// What stands where, and what is found once.
  struct Programs: Sendable {
    /// `leafcutter`, built for release.
    var proxy: String
    var callCounter: String
    /// This program.
    var bench: String

    /// What has a relay's program say its version; nil where it is this program, or there is none.
    func versionCommand(of relay: BenchCase.Relay) -> [String]? {
      switch relay {
      case .none, .splice: nil
      case .socat: [RelayCommand.socat, "-V"]
      case .haproxy: [RelayCommand.haproxy, "-v"]
      case .nginx: [RelayCommand.nginx, "-v"]
      case .leafcutter: [proxy, "--version"]
      }
    }
  }

  private static let socat = "/usr/bin/socat"
  private static let haproxy = "/usr/sbin/haproxy"
  private static let nginx = "/usr/sbin/nginx"

  let programs: Programs
  let folder: String
  let listen: SocketAddress
  let connect: SocketAddress
  let hook: SocketAddress
  let qmp: SocketAddress

  /// - Returns: a path and arguments; nil where nobody relays.
  func arguments(_ bench: BenchCase) throws -> [String]? {
    switch bench.relay {
    case .none: nil
    case .socat:
      // Its buffer is 8 KiB unless told otherwise; several connections take a process each.
      [RelayCommand.socat, "-b", "262144"]
        + [socatListen + (bench.mode == .multifd ? ",fork" : ""), socatConnect]
    case .haproxy:
      [RelayCommand.haproxy, "-db", "-q", "-f", try write("haproxy.cfg", haproxyConfiguration)]
    case .nginx:
      [
        RelayCommand.nginx, "-e", "stderr", "-p", folder, "-c",
        try write("nginx.conf", nginxConfiguration),
      ]
    case .splice: [programs.bench, "splice", "\(listen)", "\(connect)"]
    case .leafcutter:
      [
        programs.proxy, "proxy", "--listen", "\(listen)", "--connect", "\(connect)", "--hook",
        "\(hook)", "--qmp", "\(qmp)", "--log-level", "warning",
      ]
    }
  }

  private var socatListen: String {
    switch listen {
    case .tcp(let host, let port): "TCP-LISTEN:\(port),bind=\(host),reuseaddr,nodelay"
    case .unix(let path): "UNIX-LISTEN:\(path)"
    }
  }

  private var socatConnect: String {
    switch connect {
    case .tcp(let host, let port): "TCP:\(host):\(port),nodelay"
    case .unix(let path): "UNIX-CONNECT:\(path)"
    }
  }

  /// `splice-auto` alone never finds it worth while here, and HAProxy copies: at more than twice the cost. The other
  /// two options have it splice always. Its pipes are the system's (64 KiB) unless told otherwise; the bare splice
  /// relay's are larger, so these are as large.
  private var haproxyConfiguration: String {
    func place(_ address: SocketAddress) -> String {
      switch address {
      case .tcp(let host, let port): "\(host):\(port)"
      case .unix(let path): "unix@\(path)"
      }
    }
    return """
      global
        maxconn 100
        tune.pipesize \(SpliceCommand.pipeSize)
      defaults
        mode tcp
        option splice-auto
        option splice-request
        option splice-response
        timeout connect 10s
        timeout client 60s
        timeout server 60s
      listen migration
        bind \(place(listen))
        server destination \(place(connect))

      """
  }

  private var nginxConfiguration: String {
    func place(_ address: SocketAddress) -> String {
      switch address {
      case .tcp(let host, let port): "\(host):\(port)"
      case .unix(let path): "unix:\(path)"
      }
    }
    return """
      daemon off;
      user root;
      worker_processes auto;
      pid \(folder)/nginx.pid;
      error_log stderr warn;
      load_module /usr/lib/nginx/modules/ngx_stream_module.so;
      events { worker_connections 64; }
      stream {
        server {
          listen \(place(listen));
          proxy_pass \(place(connect));
          proxy_buffer_size 256k;
          tcp_nodelay on;
        }
      }

      """
  }

  private func write(_ name: String, _ text: String) throws -> String {
    let path = "\(folder)/\(name)"
    try writeText(text, to: path)
    return path
  }
}
