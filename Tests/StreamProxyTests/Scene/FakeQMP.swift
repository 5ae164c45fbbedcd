import FoundationEssentials
import Synchronization
import Threads

@testable import StreamProxy

/// A QMP server that answers as a source QEMU does whose memory is that of a fixture.
final class FakeQMP: Sendable {
  struct State {
    var capabilities = ["return-path": true, "events": false, "xbzrle": false, "multifd": false]
    /// After those with numbers in query-migrate-parameters, each with a comma before it.
    var otherParameters = ""
    /// What query-migrate says.
    var migration = "active"
    /// Every command that came, in order.
    var commands: [String] = []
    /// Every migrate-set-capabilities, as it came.
    var settings: [String] = []
    /// Those that have numbers. A QEMU before 8.2 lacks avail-switchover-bandwidth.
    var parameters: [String: UInt64] = [
      "downtime-limit": 300, "avail-switchover-bandwidth": 0, "max-bandwidth": 0,
    ]
    /// What migrate-set-parameters is answered with instead of being obeyed.
    var refusal: String?
    /// The unix sockets of the chardevs, and whether the guest has them open.
    var chardevs: [String: Bool] = [:]
    /// How often query-chardev has come.
    var chardevQueries = 0
    /// What it greets as.
    var version = QEMUVersion(major: 10, minor: 0, micro: 2)
    var client: Socket?
    var pending: [UInt8] = []
    /// What query-migrate waits for before it is answered.
    var obstacle: WakeUp?
  }

  let state = Mutex(State())
  private let listener: Listener
  private let fixture: MemoryFixture

  /// - Parameter greets: false takes connections and says nothing, like a QEMU whose only client is
  ///   somebody else.
  init(at address: SocketAddress, fixture: MemoryFixture, greets: Bool = true) throws {
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    self.fixture = fixture
    _ = BlockingThread("fake-qmp") { [self] in
      while let client = try? listener.accept() {
        state.withLock { $0.client = client }
        guard greets else { continue }
        let version = state.withLock { $0.version }
        say(
          #"{"QMP":{"version":{"qemu":{"micro":\#(version.micro),"minor":\#(version.minor),"#
            + #""major":\#(version.major)},"package":""},"capabilities":[]}}"#)
        serve(client)
      }
    }
  }

  func close() {
    listener.cancel()
    state.withLock { $0.client?.shutDown() }
  }

  /// Raises an event.
  func raise(_ event: String, data: String = "{}") {
    say(
      #"{"timestamp":{"seconds":1,"microseconds":2},"event":"\#(event)","data":\#(data)}"#)
  }

  /// The migration's status changes, as MIGRATION and query-migrate tell it.
  func migration(is status: String) {
    state.withLock { $0.migration = status }
    raise("MIGRATION", data: #"{"status":"\#(status)"}"#)
  }

  private func say(_ line: String) {
    let bytes = Array("\(line)\r\n".utf8)
    state.withLock { state in
      // The array is alive during the call.
      _ = unsafe bytes.withUnsafeBytes { try? unsafe state.client?.writeAll($0) }
    }
  }

  private struct Request: Decodable {
    struct Arguments: Decodable {
      struct Capability: Decodable {
        var capability: String
        var state: Bool
      }
      var line: String?
      var capabilities: [Capability]?
      var downtimeLimit: UInt64?
      var bandwidth: UInt64?

      private enum CodingKeys: String, CodingKey {
        case line = "command-line"
        case capabilities
        case downtimeLimit = "downtime-limit"
        case bandwidth = "avail-switchover-bandwidth"
      }
    }
    var execute: String
    var id: UInt64
    var arguments: Arguments?
  }

  private func serve(_ client: Socket) {
    var lines = QMPLines()
    while let bytes = client.readSome(), !bytes.isEmpty {
      _ = lines.append(bytes[...], limit: 1 << 20) { line in
        guard let request = try? JSONDecoder().decode(Request.self, from: Data(line)) else {
          return
        }
        let obstacle = state.withLock { $0.obstacle }
        if request.execute == "query-migrate", let obstacle {
          _ = waitReadable(obstacle.descriptor, or: nil, for: .seconds(20))
        }
        if request.execute == "migrate-set-parameters",
          let refusal = state.withLock({ $0.refusal })
        {
          say(
            #"{"error":{"class":"GenericError","desc":"\#(refusal)"},"id":\#(request.id)}"#)
        } else {
          say(#"{"return":\#(answer(request)),"id":\#(request.id)}"#)
        }
      }
    }
  }

  private func answer(_ request: Request) -> String {
    state.withLock { state in
      state.commands.append(request.execute)
      switch request.execute {
      case "query-status": return #"{"status":"running","running":true,"singlestep":false}"#
      case "query-migrate-capabilities":
        let list = state.capabilities.sorted { $0.key < $1.key }
          .map { #"{"capability":"\#($0.key)","state":\#($0.value)}"# }
        return "[\(list.joined(separator: ","))]"
      case "migrate-set-capabilities":
        for entry in request.arguments?.capabilities ?? [] {
          state.capabilities[entry.capability] = entry.state
          state.settings.append("\(entry.capability)=\(entry.state)")
        }
        return "{}"
      case "query-migrate-parameters":
        let list = state.parameters.map { #""\#($0.key)":\#($0.value)"# }
        return "{\(list.joined(separator: ","))\(state.otherParameters)}"
      case "migrate-set-parameters":
        if let limit = request.arguments?.downtimeLimit {
          state.parameters["downtime-limit"] = limit
        }
        if let bandwidth = request.arguments?.bandwidth {
          state.parameters["avail-switchover-bandwidth"] = bandwidth
        }
        return "{}"
      case "query-chardev":
        state.chardevQueries += 1
        let list = state.chardevs.map {
          #"{"label":"a","filename":"unix:\#($0.key),server=on","frontend-open":\#($0.value)}"#
        }
        return "[\(list.joined(separator: ","))]"
      case "query-migrate": return #"{"status":"\#(state.migration)"}"#
      case "human-monitor-command":
        let isTree = request.arguments?.line?.contains("mtree") == true
        return quoted(isTree ? fixture.flatViews : fixture.ramBlocks)
      case "query-memdev":
        let list = fixture.memoryBackends.map { #"{"id":"\#($0)","size":1}"# }
        return "[\(list.joined(separator: ","))]"
      case "query-memory-devices":
        return fixture.memoryDevices.replacing("\n", with: " ")
      default: return "{}"
      }
    }
  }

  private func quoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(escaped.replacing("\n", with: "\\r\\n"))\""
  }
}
