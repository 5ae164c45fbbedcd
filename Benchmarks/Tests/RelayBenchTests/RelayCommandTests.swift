import FoundationEssentials
import StreamProxy
import Testing

@testable import RelayBench

/// Each relay is measured as its manual says is best, and where it is told.
@Suite struct RelayCommandTests {
  private let programs = RelayCommand.Programs(
    proxy: "/p/leafcutter", callCounter: "/p/counter.so", bench: "/p/bench")

  /// The arguments, and the text of the file that the last of them names.
  private func command(
    _ relay: BenchCase.Relay, _ socket: BenchCase.SocketFamily, _ mode: BenchCase.Mode = .single
  ) throws -> (arguments: [String]?, configuration: String) {
    try Turn.inFolder { folder in
      let isUnix = socket == .unix
      let command = RelayCommand(
        programs: programs, folder: folder,
        listen: isUnix ? .unix(path: "/s/relay") : .tcp(host: "127.0.0.1", port: "4001"),
        connect: isUnix ? .unix(path: "/s/destination") : .tcp(host: "127.0.0.1", port: "4002"),
        hook: .unix(path: "/s/hook"), qmp: .unix(path: "/s/qmp"))
      let arguments = try command.arguments(
        BenchCase(relay: relay, mode: mode, channels: 1, socket: socket))
      return (arguments, arguments?.last.map(readText) ?? "")
    }
  }

  private func lines(_ text: String) -> [String] {
    text.split(separator: "\n").map { String($0.drop { $0 == " " }) }
  }

  @Test func withoutARelayNothingIsStarted() throws {
    #expect(try command(.none, .tcp).arguments == nil)
  }

  @Test func haproxySplicesAlwaysThroughPipesAsLargeAsTheBareRelays() throws {
    let settings = lines(try command(.haproxy, .tcp).configuration)
    #expect(SpliceCommand.pipeSize == 1_048_576)
    for setting in [
      "tune.pipesize 1048576", "option splice-request", "option splice-response", "mode tcp",
      "bind 127.0.0.1:4001", "server destination 127.0.0.1:4002",
    ] { #expect(settings.contains(setting)) }
    let global = settings.prefix { $0 != "defaults" }
    #expect(global.first == "global" && global.contains("tune.pipesize 1048576"))
    let unix = lines(try command(.haproxy, .unix).configuration)
    #expect(unix.contains("bind unix@/s/relay"))
    #expect(unix.contains("server destination unix@/s/destination"))
  }

  @Test func nginxHasAWorkerForEachProcessorAndStaysInItsFolder() throws {
    let (arguments, text) = try command(.nginx, .tcp)
    let settings = lines(text)
    for setting in [
      "daemon off;", "worker_processes auto;", "proxy_buffer_size 256k;", "tcp_nodelay on;",
      "listen 127.0.0.1:4001;", "proxy_pass 127.0.0.1:4002;",
    ] { #expect(settings.contains(setting)) }
    let folder = try #require(
      arguments.flatMap { list in list.firstIndex(of: "-p").map { list[$0 + 1] } })
    #expect(settings.contains("pid \(folder)/nginx.pid;"))
    let unix = lines(try command(.nginx, .unix).configuration)
    #expect(unix.contains("listen unix:/s/relay;"))
    #expect(unix.contains("proxy_pass unix:/s/destination;"))
  }

  @Test func socatForksOnlyForSeveralConnections() throws {
    let single = try #require(try command(.socat, .tcp).arguments)
    let several = try #require(try command(.socat, .unix, .multifd).arguments)
    #expect(
      single == [
        "/usr/bin/socat", "-b", "262144", "TCP-LISTEN:4001,bind=127.0.0.1,reuseaddr,nodelay",
        "TCP:127.0.0.1:4002,nodelay",
      ])
    #expect(several.suffix(2) == ["UNIX-LISTEN:/s/relay,fork", "UNIX-CONNECT:/s/destination"])
  }

  @Test func theProxyHasAMonitorAndAGuestToAsk() throws {
    let arguments = try #require(try command(.leafcutter, .tcp).arguments)
    #expect(
      arguments == [
        "/p/leafcutter", "proxy", "--listen", "tcp:127.0.0.1:4001", "--connect",
        "tcp:127.0.0.1:4002", "--hook", "unix:/s/hook", "--qmp", "unix:/s/qmp", "--log-level",
        "warning",
      ])
  }

  @Test func everyOtherProgramIsAskedItsVersion() {
    for relay in BenchCase.Relay.allCases {
      let isOther = relay != .none && relay != .splice
      #expect((programs.versionCommand(of: relay) != nil) == isOther)
    }
  }
}
