import CProxySystem
import Glibc
import Logging
import Synchronization

/// On which NUMA node the channels' threads run and have their buffers.
public enum NodeChoice: Equatable, Sendable, CustomStringConvertible {
  /// Wherever the kernel has them.
  case off
  /// On the node of the source QEMU, or else of the network card that leads to the destination; wherever
  /// the kernel has them where neither is on one node alone.
  case automatic
  case node(Int)

  /// `off`, `auto` or a node's number.
  public init?(_ text: String) {
    switch text {
    case "off": self = .off
    case "auto": self = .automatic
    default:
      guard let node = Int(text), (0..<1024).contains(node) else { return nil }
      self = .node(node)
    }
  }

  /// As ``init(_:)`` takes it.
  public var description: String {
    switch self {
    case .off: "off"
    case .automatic: "auto"
    case .node(let node): "\(node)"
    }
  }
}

/// Binds the channels' threads to a node. libnuma is not used: it would be a library to install for two
/// system calls and the reading of three files.
final class NodeBinding: Sendable {
  /// What cannot be done, in a sentence.
  struct UnusableNodeError: Error, CustomStringConvertible {
    var description: String
  }

  private let choice: NodeChoice
  private let topology: NodeTopology
  /// The source QEMU, where its QMP socket says who it is.
  private let qemu: Int32?
  private let logger: Logger
  /// A channel's thread has said where it is.
  private let hasSpoken = Atomic<Bool>(false)

  /// - Throws: ``UnusableNodeError`` where a node was named that is not there or has no processors.
  init(
    _ choice: NodeChoice, topology: NodeTopology, qemu: Int32?, logger: Logger
  ) throws(UnusableNodeError) {
    self.choice = choice
    self.topology = topology
    self.qemu = qemu
    self.logger = logger
    if case .node(let node) = choice, topology.processors[node]?.isEmpty != false {
      let there = topology.processors.filter { !$0.value.isEmpty }.keys.sorted()
      throw UnusableNodeError(
        description:
          "NUMA node \(node) has no processors here; those that have are \(there.map(String.init).joined(separator: ", "))"
      )
    }
  }

  /// The node for a channel whose destination is reached by `interface`, and why; nil where the kernel
  /// is to choose.
  func node(interface: String?) -> (node: Int, reason: String)? {
    switch choice {
    case .off: return nil
    case .node(let node): return (node, "it was named")
    case .automatic:
      guard topology.processors.count > 1 else { return nil }
      if let qemu, let node = topology.node(ofProcess: qemu), isUsable(node) {
        return (node, "the source QEMU, process \(qemu), is there")
      }
      if let interface, let node = topology.node(ofInterface: interface), isUsable(node) {
        return (node, "the network card of \(interface) is there")
      }
      return nil
    }
  }

  private func isUsable(_ node: Int) -> Bool { topology.processors[node]?.isEmpty == false }

  /// Has the calling thread run on the node's processors and take its memory there first, before it
  /// allocates its buffers. What the kernel refuses is logged, and no error.
  func bindThread(towards destination: Socket) {
    guard choice != .off, let (node, reason) = node(interface: destination.interface),
      let processors = topology.processors[node]
    else { return }
    let failure = NodeBinding.bindThread(to: node, processors)
    guard !hasSpoken.exchange(true, ordering: .relaxed) else { return }
    if let failure {
      logger.warning("the channels' threads are not bound to NUMA node \(node): \(failure)")
    } else {
      logger.info("the channels' threads run on NUMA node \(node), because \(reason)")
    }
  }

  /// - Returns: what the kernel has refused, or nil.
  static func bindThread(to node: Int, _ processors: [Int]) -> SystemError? {
    let numbers = processors.map { Int32($0) }
    // The array lives through the call.
    guard unsafe leafcutter_run_on(numbers, numbers.count) == 0 else {
      return SystemError("run on its processors")
    }
    guard leafcutter_prefer_node(Int32(node)) == 0 else {
      return SystemError("take memory there first")
    }
    return nil
  }
}

extension Socket {
  /// The interface that has this socket's own address, e.g. "eth0"; nil on a unix socket.
  var interface: String? {
    var name = [CChar](repeating: 0, count: Int(LEAFCUTTER_INTERFACE_NAME))
    // Ends with a zero inside the array.
    guard unsafe leafcutter_interface(descriptor, &name, name.count) == 0 else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
