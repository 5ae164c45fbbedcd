/// The commands the proxy uses, with the members it reads; QEMU's qapi/*.json has them all.
extension QMPClient {
  /// query-status.
  public struct RunStatus: Decodable, Equatable, Sendable {
    /// RunState, e.g. `running`, `paused`, `postmigrate`.
    public var status: String
    public var running: Bool
  }

  /// query-memory-devices: a DIMM, virtio-mem or the like, which adds memory to the guest.
  struct MemoryDevice: Decodable, Equatable, Sendable {
    /// `dimm`, `nvdimm`, `virtio-mem`, `virtio-pmem`, `sgx-epc`, `hv-balloon`.
    var type: String
    /// The id of the memory backend, without the `/objects/` before it; nil where there is none.
    var backend: String?
    /// Where the device's memory begins, guest-physical.
    var address: UInt64?
    /// How much address space it covers; of a virtio-mem device all that it can grow to.
    var length: UInt64?

    private enum Key: String, CodingKey { case type, data }
    private enum DataKey: String, CodingKey {
      case memdev, addr, memaddr, size
      case maximum = "max-size"
    }

    init(type: String, backend: String?, address: UInt64?, length: UInt64?) {
      self.type = type
      self.backend = backend
      self.address = address
      self.length = length
    }

    init(from decoder: any Decoder) throws {
      let object = try decoder.container(keyedBy: Key.self)
      type = try object.decode(String.self, forKey: .type)
      let data = try object.nestedContainer(keyedBy: DataKey.self, forKey: .data)
      backend = try data.decodeIfPresent(String.self, forKey: .memdev).map {
        $0.hasPrefix("/objects/") ? String($0.dropFirst("/objects/".count)) : $0
      }
      address =
        try data.decodeIfPresent(UInt64.self, forKey: .addr)
        ?? data.decodeIfPresent(UInt64.self, forKey: .memaddr)
      length =
        try data.decodeIfPresent(UInt64.self, forKey: .maximum)
        ?? data.decodeIfPresent(UInt64.self, forKey: .size)
    }
  }

  /// Whether a program in the guest has the port behind a chardev's socket open (query-chardev,
  /// `frontend-open`); nil where QEMU knows no chardev with this socket.
  ///
  /// - Parameter path: of the unix socket, as QEMU was given it.
  func guestHasPortOpen(behindSocket path: String) throws(QMPError) -> Bool? {
    struct Chardev: Decodable {
      var filename: String
      var isOpen: Bool
      private enum CodingKeys: String, CodingKey {
        case filename
        case isOpen = "frontend-open"
      }
    }
    let all = try execute("query-chardev", returning: [Chardev].self)
    // QEMU shows it as "unix:PATH,server=on", with "disconnected:" before it until we come.
    return all.first { $0.filename.contains("unix:\(path),") }?.isOpen
  }

  public func queryStatus(timeout: Duration = .seconds(10)) throws(QMPError) -> RunStatus {
    try execute("query-status", timeout: timeout)
  }

  public func queryMigrate(timeout: Duration = .seconds(10)) throws(QMPError) -> MigrationStatus {
    try execute("query-migrate", timeout: timeout)
  }

  func queryMemoryDevices() throws(QMPError) -> [MemoryDevice] {
    try execute("query-memory-devices")
  }

  /// The ids of all memory backends, the one that QEMU makes for `-m` included (e.g. `pc.ram`).
  func queryMemoryBackends() throws(QMPError) -> [String] {
    struct Backend: Decodable { var id: String? }
    return try execute("query-memdev", returning: [Backend].self).compactMap(\.id)
  }

  /// Runs a command of the human monitor and returns what it prints.
  func humanMonitorCommand(
    _ line: String, timeout: Duration = .seconds(30)
  ) throws(QMPError) -> String {
    try execute(
      "human-monitor-command", arguments: ["command-line": line], returning: String.self,
      timeout: timeout)
  }

  /// Every capability this QEMU knows, and whether it is on.
  public func migrateCapabilities() throws(QMPError) -> [String: Bool] {
    let list = try execute("query-migrate-capabilities", returning: [CapabilityState].self)
    return Dictionary(list.map { ($0.capability, $0.state) }) { _, last in last }
  }

  /// Refused by QEMU while a migration runs.
  public func setMigrateCapabilities(_ states: [String: Bool]) throws(QMPError) {
    let list = states.sorted { $0.key < $1.key }
      .map { CapabilityState(capability: $0.key, state: $0.value) }
    try execute("migrate-set-capabilities", arguments: ["capabilities": list])
  }

  private struct CapabilityState: Codable {
    var capability: String
    var state: Bool
  }

  public func migrateParameters() throws(QMPError) -> MigrationParameters {
    try execute("query-migrate-parameters")
  }

  /// Sets the members that are not nil.
  public func setMigrateParameters(_ parameters: MigrationParameters) throws(QMPError) {
    try execute("migrate-set-parameters", arguments: parameters)
  }
}
