import Glibc

/// A machine and where its memory lies. The addresses are those of QEMU's own rules (pc_piix.c,
/// pc_q35.c, microvm.c), written down here independently of what the proxy reads from QMP.
public struct GuestLayout: Sendable {
  public enum Chipset: String, Sendable { case q35, i440fx, microvm }

  /// A memory backend, which is one RAM block and one file.
  public struct Block: Sendable {
    public enum Use: Sendable {
      case main
      case node(Int)
      /// A pc-dimm at an address; hot-plugged: with the guest running, before it migrates.
      case dimm(address: UInt64, hot: Bool)
      /// A virtio-mem device's, of which nothing is plugged in: that takes a driver in the guest (the
      /// end-to-end tests have one).
      case virtioMem
    }
    public var name: String
    public var size: Int
    public var use = Use.main
  }

  /// A stretch of guest-physical memory in one piece of one block.
  public struct Segment: Sendable {
    public var start: UInt64
    public var length: Int
    public var block: Int
    public var offset: Int

    /// Where an address of the segment is in the block.
    func offset(of address: UInt64) -> Int { offset + Int(address - start) }
  }

  public var name: String
  public var chipset: Chipset
  public var blocks: [Block]
  public var segments: [Segment]
  /// Where main memory is cut, when that is not the chipset's own limit (max-ram-below-4g).
  var limit: Int?
  public var hugePages = false

  func machine(_ version: String) -> String {
    var machine = chipset == .microvm ? "microvm" : "pc-\(chipset.rawValue)-\(version)"
    if let limit { machine += ",max-ram-below-4g=\(limit)" }
    if blocks.contains(where: { if case .main = $0.use { true } else { false } }) {
      machine += ",memory-backend=\(blocks[0].name)"
    }
    return machine
  }

  /// What a machine type of 7.2 sets in a newer QEMU (hw_compat_7_2 to hw_compat_9_2 in
  /// hw/core/machine.c), for a chipset whose machine type has no versions.
  func compatibility(with version: String, of release: QEMURelease) -> [String] {
    guard chipset == .microvm, version == "7.2", release.version != "7.2" else { return [] }
    return [
      "x-preempt-pre-7-2=on", "multifd-flush-after-each-section=on",
      "zero-page-detection=legacy", "send-switchover-start=off",
    ].flatMap { ["-global", "migration.\($0)"] }
  }

  /// - Parameters:
  ///   - files: for each block, nil where QEMU makes the memory itself.
  ///   - plugged: hot-plugged memory is there from the beginning, as a destination needs it.
  func arguments(files: [GuestMemoryFile?], plugged: Bool) -> [String] {
    var arguments: [String] = []
    var main = 0
    var extra = 0
    for (block, file) in zip(blocks, files) {
      let backing =
        if let path = file?.path { "memory-backend-file,mem-path=\(path)" } else {
          "memory-backend-memfd,hugetlb=on,hugetlbsize=2M"
        }
      arguments += ["-object", "\(backing),id=\(block.name),size=\(block.size),share=on"]
      switch block.use {
      case .main: main += block.size
      case .node(let node):
        main += block.size
        arguments += ["-numa", "node,nodeid=\(node),memdev=\(block.name)"]
      case .dimm(let address, let hot):
        extra += block.size
        guard plugged || !hot else { continue }
        arguments += [
          "-device", "pc-dimm,id=dimm-\(block.name),memdev=\(block.name),addr=\(address)",
        ]
      case .virtioMem:
        extra += block.size
        arguments += ["-device", "virtio-mem-pci,memdev=\(block.name),requested-size=0"]
      }
    }
    let maximum = extra == 0 ? "" : ",slots=4,maxmem=\((main + max(extra, 1 << 30)) >> 20)M"
    return ["-m", "size=\(main >> 20)M\(maximum)"] + arguments
  }
}

// MARK: Those that are tried

extension GuestLayout {
  private static let mebibyte = 1 << 20
  private static let fourGiB: UInt64 = 1 << 32

  /// One block, cut at `limit`.
  private static func cut(
    _ name: String, _ chipset: Chipset, _ size: Int, at limit: Int, own: Bool = false
  ) -> GuestLayout {
    GuestLayout(
      name: name, chipset: chipset, blocks: [Block(name: "ram", size: size)],
      segments: [
        Segment(start: 0, length: limit, block: 0, offset: 0),
        Segment(start: fourGiB, length: size - limit, block: 0, offset: limit),
      ], limit: own ? nil : limit)
  }

  public static let low = GuestLayout(
    name: "q35, below 4 GiB", chipset: .q35, blocks: [Block(name: "ram", size: 192 * mebibyte)],
    segments: [Segment(start: 0, length: 192 * mebibyte, block: 0, offset: 0)])

  public static let q35 = cut("q35, below and above 4 GiB", .q35, 192 * mebibyte, at: 96 * mebibyte)
  public static let i440fx = cut(
    "i440fx, below and above 4 GiB", .i440fx, 192 * mebibyte, at: 112 * mebibyte)

  /// At the chipsets' own limits; nearly all of it is never touched.
  public static let q35Large = cut(
    "q35, 2816 MiB", .q35, 2816 * mebibyte, at: 2048 * mebibyte, own: true)
  public static let i440fxLarge = cut(
    "i440fx, 3584 MiB", .i440fx, 3584 * mebibyte, at: 3072 * mebibyte, own: true)
  public static let microvmLarge = cut(
    "microvm, 3200 MiB", .microvm, 3200 * mebibyte, at: 3072 * mebibyte, own: true)

  public static let microvm = GuestLayout(
    name: "microvm, below 4 GiB", chipset: .microvm,
    blocks: [Block(name: "ram", size: 192 * mebibyte)],
    segments: [Segment(start: 0, length: 192 * mebibyte, block: 0, offset: 0)])

  /// The second node's memory lies on both sides.
  public static let numa = GuestLayout(
    name: "q35, two NUMA nodes", chipset: .q35,
    blocks: [
      Block(name: "ram-node0", size: 96 * mebibyte, use: .node(0)),
      Block(name: "ram-node1", size: 96 * mebibyte, use: .node(1)),
    ],
    segments: [
      Segment(start: 0, length: 96 * mebibyte, block: 0, offset: 0),
      Segment(start: 96 << 20, length: 40 * mebibyte, block: 1, offset: 0),
      Segment(start: fourGiB, length: 56 * mebibyte, block: 1, offset: 40 * mebibyte),
    ], limit: 136 * mebibyte)

  public static let hugetlb: GuestLayout = {
    var layout = q35
    layout.name = "q35, hugetlb"
    layout.hugePages = true
    return layout
  }()

  /// Main memory on both sides of 4 GiB, and a dimm in the area after it, which begins at a
  /// multiple of 1 GiB.
  private static func dimm(_ name: String, _ chipset: Chipset, hot: Bool) -> GuestLayout {
    var layout = cut(name, chipset, 128 * mebibyte, at: 96 * mebibyte)
    let address: UInt64 = 0x1_5000_0000
    layout.blocks.append(
      Block(name: "memdimm0", size: 64 * mebibyte, use: .dimm(address: address, hot: hot)))
    layout.segments.append(Segment(start: address, length: 64 * mebibyte, block: 1, offset: 0))
    return layout
  }

  /// A block of the stream that is no guest RAM as yet.
  public static let virtioMem: GuestLayout = {
    var layout = q35
    layout.name = "q35, virtio-mem"
    layout.blocks.append(Block(name: "vmem0", size: 64 * mebibyte, use: .virtioMem))
    return layout
  }()

  public static let coldDIMM = dimm("q35, DIMM", .q35, hot: false)
  public static let hotDIMM = dimm("q35, hot-plugged DIMM", .q35, hot: true)
  public static let hotDIMMi440fx = dimm("i440fx, hot-plugged DIMM", .i440fx, hot: true)
}
