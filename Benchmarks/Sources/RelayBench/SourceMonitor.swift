import FoundationEssentials
import StreamProxy
import Synchronization
import Threads

/// The QMP socket of the source: answers what `leafcutter proxy` asks, for a guest of a given memory.
final class SourceMonitor: Sendable {
  private struct State {
    var client: Socket?
    var capabilities = ["return-path": true, "events": true, "xbzrle": false, "multifd": false]
    var status = "active"
  }

  private struct Request: Decodable {
    struct Arguments: Decodable {
      var line: String?
      private enum CodingKeys: String, CodingKey { case line = "command-line" }
    }
    var execute: String
    var id: UInt64
    var arguments: Arguments?
  }

  private let state: Mutex<State>
  private let listener: Listener
  private let memory: GuestMemory
  private let channels: Int

  /// - Parameter multifdChannels: 0 where the capability is off.
  init(at address: SocketAddress, memory: GuestMemory, multifdChannels: Int) throws {
    var initial = State()
    initial.capabilities["multifd"] = multifdChannels > 0
    state = Mutex(initial)
    channels = multifdChannels
    self.memory = memory
    listener = try Listener(address, receiveBuffer: 64 * 1024)
    _ = BlockingThread("source-qmp") { [self] in
      while let client = try? listener.accept() {
        state.withLock { $0.client = client }
        say(
          #"{"QMP":{"version":{"qemu":{"micro":2,"minor":0,"major":10},"package":""},"capabilities":[]}}"#
        )
        serve(client)
      }
    }
  }

  func close() {
    listener.cancel()
    state.withLock { $0.client?.shutDown() }
  }

  func stopGuest() { raise("STOP", data: "{}") }

  func completeMigration() {
    state.withLock { $0.status = "completed" }
    raise("MIGRATION", data: #"{"status":"completed"}"#)
  }

  private func raise(_ event: String, data: String) {
    say(#"{"timestamp":{"seconds":1,"microseconds":2},"event":"\#(event)","data":\#(data)}"#)
  }

  private func say(_ line: String) {
    state.withLock { try? $0.client?.write(Array("\(line)\r\n".utf8)) }
  }

  private func serve(_ client: Socket) {
    var pending: [UInt8] = []
    while let bytes = client.readSome(), !bytes.isEmpty {
      pending += bytes
      while let end = pending.firstIndex(of: 0x0a) {
        if let request = try? JSONDecoder().decode(Request.self, from: Data(pending[..<end])) {
          say(#"{"return":\#(answer(request)),"id":\#(request.id)}"#)
        }
        pending.removeFirst(end + 1)
      }
    }
  }

  private func answer(_ request: Request) -> String {
    let state = state.withLock { $0 }
    switch request.execute {
    case "query-status": return #"{"status":"running","running":true,"singlestep":false}"#
    case "query-migrate-capabilities":
      let list = state.capabilities.sorted { $0.key < $1.key }
        .map { #"{"capability":"\#($0.key)","state":\#($0.value)}"# }
      return "[\(list.joined(separator: ","))]"
    case "query-migrate-parameters":
      return """
        {"downtime-limit":300,"avail-switchover-bandwidth":0,"max-bandwidth":0,\
        "multifd-channels":\(max(channels, 1)),"multifd-compression":"none"}
        """
    case "query-chardev", "query-memory-devices": return "[]"
    case "query-memdev": return #"[{"id":"\#(GuestMemory.block)","size":\#(memory.size)}]"#
    case "query-migrate": return #"{"status":"\#(state.status)"}"#
    case "human-monitor-command":
      let isTree = request.arguments?.line?.contains("mtree") == true
      return quoted(isTree ? memory.flatViews : memory.ramBlocks)
    default: return "{}"
    }
  }

  private func quoted(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(escaped.replacing("\n", with: "\\r\\n"))\""
  }
}

extension Socket {
  /// What is there, empty at the end; nil where the connection broke.
  func readSome() -> [UInt8]? {
    // The buffer lives in the closure, and what was read is initialised.
    try? unsafe [UInt8](unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
      count = try unsafe read(into: UnsafeMutableRawBufferPointer(buffer))
    }
  }

  func write(_ bytes: [UInt8]) throws {
    // The array is alive during the call.
    try unsafe bytes.withUnsafeBytes { try unsafe writeAll($0) }
  }
}
