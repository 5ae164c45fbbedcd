import FoundationEssentials
import Glibc

/// Two network namespaces that stand for two hosts, joined by a wire of a given rate. Their names
/// carry the process's number, so that several laboratories can run at once.
public final class TwoHosts: Sendable {
  static let namePrefix = "leafcutter-"
  public static let sourceAddress = "10.77.0.1"
  public static let destinationAddress = "10.77.0.2"

  public let source: String
  public let destination: String
  private let log: String
  private let cleanup: Int

  /// - Parameters:
  ///   - rate: as tc(8) writes it, e.g. `1gbit`, for each direction; nil takes as much as the host can.
  ///   - delay: milliseconds that everything takes longer, in each direction.
  public init(rate: String?, delay: Int = 0, files: LabFiles) throws(LabError) {
    let source = "\(TwoHosts.namePrefix)\(getpid())-a"
    let destination = "\(TwoHosts.namePrefix)\(getpid())-b"
    let log = "\(files.logs)/network.log"
    self.source = source
    self.destination = destination
    self.log = log
    cleanup = Cleanup.add { TwoHosts.remove(source, destination, log: log) }
    let ends = [(source, Self.sourceAddress), (destination, Self.destinationAddress)]
    for (name, _) in ends { try run(["ip", "netns", "add", name]) }
    try run(
      ["ip", "link", "add", "wire", "netns", source, "type", "veth"]
        + ["peer", "name", "wire", "netns", destination])
    for (name, address) in ends {
      try run(["ip", "-n", name, "address", "add", "\(address)/24", "dev", "wire"])
      try run(["ip", "-n", name, "link", "set", "lo", "up"])
      try run(["ip", "-n", name, "link", "set", "wire", "up"])
      guard let rate else { continue }
      try run(
        TwoHosts.inside(name, ["tc", "qdisc", "replace", "dev", "wire", "root"])
          + TwoHosts.shape(rate: rate, delay: delay))
    }
  }

  /// A long wire holds what is under way: netem's queue is made long enough (packets) to lose none of it.
  private static func shape(rate: String, delay: Int) -> [String] {
    delay > 0
      ? ["netem", "delay", "\(delay)ms", "rate", rate, "limit", "50000"]
      : ["tbf", "rate", rate, "burst", "256k", "latency", "20ms"]
  }

  /// The address of one of the two, by its namespace.
  public func address(of host: String) -> String {
    host == source ? TwoHosts.sourceAddress : TwoHosts.destinationAddress
  }

  /// The other one of the two.
  public func other(than host: String) -> String { host == source ? destination : source }

  /// Removes both. Whatever runs in them still should have been ended before.
  public func tearDown() {
    Cleanup.forget(cleanup)
    TwoHosts.remove(source, destination, log: log)
  }

  /// Bytes that a host, by default the source, has put on the wire, link headers included.
  public func bytesSent(by host: String? = nil) throws(LabError) -> UInt64 {
    let log = self.log + ".bytes"
    // `ip netns exec` mounts a /sys that shows the namespace's own devices.
    try ChildProcess.run(
      "cat", TwoHosts.inside(host ?? source, ["cat", "/sys/class/net/wire/statistics/tx_bytes"]),
      log: log)
    let text = FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) }
    guard let count = text.flatMap({ UInt64($0.filter(\.isNumber)) }) else {
      throw LabError("the wire's counter of sent bytes cannot be read")
    }
    return count
  }

  /// The command that runs `arguments` on that host.
  static func inside(_ namespace: String, _ arguments: [String]) -> [String] {
    ["ip", "netns", "exec", namespace] + arguments
  }

  private func run(_ arguments: [String]) throws(LabError) {
    try ChildProcess.run(arguments.joined(separator: " "), arguments, log: log)
  }

  private static func remove(_ source: String, _ destination: String, log: String) {
    for name in [source, destination] {
      try? ChildProcess.run("ip netns delete", ["ip", "netns", "delete", name], log: log)
    }
  }
}
