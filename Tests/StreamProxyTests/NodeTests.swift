import FoundationEssentials
import Glibc
import Logging
import Testing
import Threads

@testable import StreamProxy

/// Which NUMA node the channels are carried on.
struct NodeTests {
  /// A tree of files as the kernel writes them.
  private final class Files {
    let root: String

    init(_ files: [String: String]) throws {
      root =
        FileManager.default.temporaryDirectory
        .appending(path: "leafcutter-\(UUID().uuidString.prefix(8))").path
      for (path, text) in files {
        let url = URL(filePath: "\(root)/\(path)")
        try FileManager.default.createDirectory(
          at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
      }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }
  }

  /// Two nodes with processors and one that is memory only; cards on both.
  private static let host = [
    "sys/devices/system/node/online": "0-2\n",
    "sys/devices/system/node/node0/cpulist": "0-3,8\n",
    "sys/devices/system/node/node1/cpulist": "4-7\n",
    "sys/devices/system/node/node2/cpulist": "\n",
    "sys/class/net/eth0/device/numa_node": "1\n",
    "sys/class/net/eth1/device/numa_node": "0\n",
    "sys/class/net/eth2/device/numa_node": "-1\n",
    "sys/class/net/lo/mtu": "65536\n",
    "sys/class/net/bond0/lower_eth0/mtu": "1500\n",
    "sys/class/net/vlan5/lower_bond0/mtu": "1500\n",
    "sys/class/net/br0/lower_eth0/mtu": "1500\n",
    "sys/class/net/br0/lower_eth1/mtu": "1500\n",
    "sys/class/net/loop/lower_loop/mtu": "1500\n",
    "proc/10/status": "Name:\tqemu\nCpus_allowed_list:\t0-8\nMems_allowed_list:\t0-2\n",
    "proc/11/status": "Name:\tqemu\nCpus_allowed_list:\t5,7\nMems_allowed_list:\t0-2\n",
    "proc/12/status": "Name:\tqemu\nCpus_allowed_list:\t0-8\nMems_allowed_list:\t1\n",
    "proc/13/status": "Name:\tqemu\nCpus_allowed_list:\t3-4\nMems_allowed_list:\t0-1\n",
    "proc/14/status": "Name:\tqemu\nCpus_allowed_list:\t0-8\nMems_allowed_list:\t2\n",
    "proc/15/status": "Name:\tqemu\n",
  ]

  private func binding(
    _ choice: NodeChoice, on files: Files, qemu: Int32?
  ) throws -> NodeBinding {
    try NodeBinding(
      choice, topology: NodeTopology(root: files.root), qemu: qemu,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  @Test func listsAreReadAsTheKernelWritesThem() {
    #expect(NodeTopology.list("0\n") == [0])
    #expect(NodeTopology.list("0-3,8,10-11\n") == [0, 1, 2, 3, 8, 10, 11])
    #expect(NodeTopology.list("\n") == [])
    for wrong in ["a", "3-1", "1-2-3", "-1", "0-", "0-99999999999", "1,x"] {
      #expect(NodeTopology.list(wrong) == nil, "\(wrong)")
    }
    #expect(NodeTopology.list(nil) == nil)
  }

  @Test func nodesHaveTheirProcessors() throws {
    let files = try Files(NodeTests.host)
    #expect(
      NodeTopology(root: files.root).processors == [0: [0, 1, 2, 3, 8], 1: [4, 5, 6, 7], 2: []])
    #expect(NodeTopology(root: files.root + "/nowhere").processors.isEmpty)
  }

  @Test(arguments: [(10, nil), (11, 1), (12, 1), (13, nil), (14, 2), (15, nil), (16, nil)])
  func aProcessIsWhereItMayRunOrHaveItsMemory(process: Int32, node: Int?) throws {
    let files = try Files(NodeTests.host)
    #expect(NodeTopology(root: files.root).node(ofProcess: process) == node)
  }

  @Test(arguments: [
    ("eth0", 1), ("eth1", 0), ("eth2", nil), ("lo", nil), ("bond0", 1), ("vlan5", 1), ("br0", nil),
    ("loop", nil), ("../eth0", nil), ("", nil), ("none", nil),
  ])
  func anInterfaceIsWhereItsCardIs(name: String, node: Int?) throws {
    let files = try Files(NodeTests.host)
    #expect(NodeTopology(root: files.root).node(ofInterface: name) == node)
  }

  @Test func theSourceComesBeforeTheNetworkCard() throws {
    let files = try Files(NodeTests.host)
    func chosen(_ choice: NodeChoice, _ qemu: Int32?, _ interface: String?) throws -> Int? {
      try binding(choice, on: files, qemu: qemu).node(interface: interface)?.node
    }
    #expect(try chosen(.automatic, 11, "eth1") == 1)
    #expect(try chosen(.automatic, 10, "eth1") == 0)
    #expect(try chosen(.automatic, nil, "eth0") == 1)
    // Its memory is where no processor is.
    #expect(try chosen(.automatic, 14, "eth1") == 0)
    #expect(try chosen(.automatic, 10, "lo") == nil)
    #expect(try chosen(.off, 11, "eth0") == nil)
    #expect(try chosen(.node(0), 11, "eth0") == 0)
  }

  @Test func onAHostWithOneNodeNothingIsBound() throws {
    let files = try Files([
      "sys/devices/system/node/online": "0\n", "sys/devices/system/node/node0/cpulist": "0-3\n",
      "sys/class/net/eth0/device/numa_node": "0\n",
      "proc/11/status": "Cpus_allowed_list:\t1\nMems_allowed_list:\t0\n",
    ])
    #expect(try binding(.automatic, on: files, qemu: 11).node(interface: "eth0") == nil)
  }

  @Test func aNodeThatIsNotThereOrHasNoProcessorsIsRefused() throws {
    let files = try Files(NodeTests.host)
    for node in [2, 3] {
      let error = #expect(throws: NodeBinding.UnusableNodeError.self) {
        try binding(.node(node), on: files, qemu: nil)
      }
      #expect(
        error?.description
          == "NUMA node \(node) has no processors here; those that have are 0, 1")
    }
  }

  @Test func aChoiceIsAWordOrANumber() {
    #expect(NodeChoice("off") == .off && NodeChoice("auto") == .automatic)
    #expect(NodeChoice("0") == .node(0) && NodeChoice("17") == .node(17))
    for wrong in ["", "on", "-1", "1024", "0-1"] { #expect(NodeChoice(wrong) == nil) }
  }

  /// A thread's fields of /proc/self/task/TID/status.
  private static func status(_ field: String) -> String? {
    guard let bytes = try? Data(contentsOf: URL(filePath: "/proc/thread-self/status")) else {
      return nil
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
      .first { $0.hasPrefix("\(field):") }
      .map { String($0.dropFirst(field.count + 1)).trimmingPrefix { $0 == "\t" } }
      .map { String($0) }
  }

  /// Runs where there are two nodes: `Tests/nodes-in-guest` starts a guest that has them.
  @Test(.enabled(if: NodeTopology().processors.filter { !$0.value.isEmpty }.count > 1))
  func threadsRunOnTheirNodeAndHaveTheirBuffersThere() throws {
    let topology = NodeTopology()
    for (node, processors) in topology.processors where !processors.isEmpty {
      let thread = BlockingThread("bound") {
        #expect(NodeBinding.bindThread(to: node, processors) == nil)
        #expect(NodeTopology.list(NodeTests.status("Cpus_allowed_list")) == processors)
        let pages = 2048
        // Touched below, page by page, and freed at the end.
        let buffer = UnsafeMutableRawBufferPointer.allocate(
          byteCount: pages * 4096, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        for page in 0..<pages { unsafe buffer[page * 4096] = 1 }
        // numa_maps names the beginning of the mapping that the buffer lies in.
        let lines = (KernelFile.text("/proc/self/numa_maps") ?? "").split(separator: "\n")
        let large = lines.filter { line in
          line.split(separator: " ").contains { word in
            word.hasPrefix("N\(node)=") && (Int(word.drop { $0 != "=" }.dropFirst()) ?? 0) >= pages
          }
        }
        #expect(!large.isEmpty, "no mapping of \(pages) pages on node \(node): \(lines)")
      }
      #expect(thread.join(for: .seconds(30)))
    }
  }
}
