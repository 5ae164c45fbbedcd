import Glibc

/// The host's NUMA nodes and what the kernel says of who is on which, as it writes them under /sys and
/// /proc (Documentation/ABI/stable/sysfs-devices-node, sysfs-class-net, proc(5)).
struct NodeTopology: Sendable {
  /// By the nodes' numbers: their processors. A node may have none.
  let processors: [Int: [Int]]
  private let root: String

  /// - Parameter root: what stands for `/`; a test's folder.
  init(root: String = "") {
    self.root = root
    let online = NodeTopology.list(KernelFile.text("\(root)/sys/devices/system/node/online"))
    var found: [Int: [Int]] = [:]
    for node in online ?? [] {
      found[node] =
        NodeTopology.list(KernelFile.text("\(root)/sys/devices/system/node/node\(node)/cpulist"))
        ?? []
    }
    processors = found
  }

  /// The one node that a process may use the processors of, or else the memory of; nil where it may use
  /// several, or cannot be looked at.
  func node(ofProcess process: Int32) -> Int? {
    guard let status = KernelFile.text("\(root)/proc/\(process)/status") else { return nil }
    func allowed(_ field: String) -> [Int]? {
      for line in status.split(separator: "\n") where line.hasPrefix("\(field):") {
        return NodeTopology.list(String(line.dropFirst(field.count + 1)))
      }
      return nil
    }
    if let usable = allowed("Cpus_allowed_list") {
      let nodes = processors.filter { !$0.value.allSatisfy { !usable.contains($0) } }.keys
      if nodes.count == 1, let node = nodes.first { return node }
    }
    if let memory = allowed("Mems_allowed_list") {
      let nodes = memory.filter { processors[$0] != nil }
      if nodes.count == 1 { return nodes[0] }
    }
    return nil
  }

  /// The node that a network interface's card is on, or those below a bond, a bridge or a VLAN; nil where
  /// there are several, or none is known.
  func node(ofInterface name: String) -> Int? {
    let nodes = Set(cards(below: name, depth: 4))
    return nodes.count == 1 ? nodes.first : nil
  }

  private func cards(below name: String, depth: Int) -> [Int] {
    guard !name.isEmpty, !name.contains("/"), depth > 0 else { return [] }
    let folder = "\(root)/sys/class/net/\(name)"
    if let text = KernelFile.text("\(folder)/device/numa_node") {
      // -1 where the firmware does not say.
      let node = Int(text.split(whereSeparator: \.isWhitespace).first ?? "") ?? -1
      return processors[node] == nil ? [] : [node]
    }
    return NodeTopology.entries(of: folder).filter { $0.hasPrefix("lower_") }.flatMap {
      cards(below: String($0.dropFirst("lower_".count)), depth: depth - 1)
    }
  }

  /// What the kernel writes as `0-3,8,10-11`; nil where it is not that.
  static func list(_ text: String?) -> [Int]? {
    guard let text else { return nil }
    var numbers: [Int] = []
    for part in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let low = ends.first ?? nil, let high = ends.last ?? nil, ends.count <= 2,
        0 <= low, low <= high, high < NodeTopology.mostNumbers
      else { return nil }
      numbers += low...high
    }
    return numbers
  }

  /// Linux knows at most 8192 processors and 1024 nodes.
  private static let mostNumbers = 8192

  private static func entries(of folder: String) -> [String] {
    // The folder is open from here to the end, and each name is copied before the next is read.
    guard let directory = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      names.append(name)
    }
    return names
  }
}
