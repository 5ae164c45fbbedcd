import FoundationEssentials
import StreamProxy

/// A QEMU process in one of the two hosts, with the two ports of the demo guest and three QMP sockets:
/// one for the laboratory, one for the proxy and a spare one, because each serves one client.
public final class VirtualMachine: Sendable {
  public let name: String
  /// The laboratory's own QMP connection.
  public let qmp: QMPClient
  private let process: ChildProcess
  private let files: LabFiles
  private let serialLog: String

  /// Sockets of this guest, by their use.
  public enum Endpoint: String, Sendable, CaseIterable {
    case labQMP = "qmp-lab"
    case proxyQMP = "qmp-proxy"
    case spareQMP = "qmp-spare"
    /// Port org.leafcutter.hook.0.
    case hook
    /// Port org.leafcutter.demo.0.
    case demo
  }

  /// Everything TCG can do, but for what it does slowly and says is fast: string instructions, which it
  /// runs a byte at a time and kernel and C library clear and copy memory with; and crc32, a bit at a
  /// time, which WiredTiger would check every block with that it reads.
  static let processor = "max,erms=off,fsrm=off,sse4.2=off"

  /// Quiet and without mitigations, which only cost an emulated guest time; a crash reboots at once, so
  /// that it cannot be mistaken for slowness. Huge pages only where they are asked for: what WiredTiger's
  /// best known user advises for it. Whether the timer's interrupt arrives in time is not tried: on a busy
  /// host an emulated one does not, and the kernel panics.
  static let kernelOptions = [
    "console=ttyS0", "quiet", "mitigations=off", "nokaslr", "tsc=reliable", "random.trust_cpu=on",
    "panic=-1", "transparent_hugepage=madvise", "no_timer_check",
  ]

  /// - Parameters:
  ///   - host: a network namespace of ``TwoHosts``, or nil for the network of this process.
  ///   - waitsForMigration: the destination of a migration; see ``Migration``.
  public init(
    _ name: String, _ options: MachineOptions, host: String?, waitsForMigration: Bool = false,
    files: LabFiles
  ) throws(LabError) {
    self.name = name
    self.files = files
    serialLog = "\(files.logs)/\(name)-serial.log"
    var arguments = VirtualMachine.arguments(
      name, options, serialLog: serialLog, waitsForMigration: waitsForMigration
    ) { "\(files.sockets)/\(name)-\($0.rawValue)" }
    if let host { arguments = TwoHosts.inside(host, arguments) }
    let process = try ChildProcess("QEMU \(name)", arguments, log: "\(files.logs)/\(name)-qemu.log")
    self.process = process
    let address = SocketAddress.unix(path: "\(files.sockets)/\(name)-\(Endpoint.labQMP.rawValue)")
    // QEMU makes its sockets some milliseconds after it starts.
    let client: QMPClient? = try HostClock.poll(every: 0.02, for: 20) { () throws(LabError) in
      if let ending = process.endingIfAny { throw process.error("QEMU for \(name) \(ending)") }
      return try? QMPClient.connect(to: address)
    }
    guard let client else { throw process.error("QEMU for \(name) does not answer at \(address)") }
    qmp = client
  }

  private static func arguments(
    _ name: String, _ options: MachineOptions, serialLog: String, waitsForMigration: Bool,
    path: (Endpoint) -> String
  ) -> [String] {
    let line = (kernelOptions + options.kernelOptions).joined(separator: " ")
    let preallocates = options.preallocates ?? waitsForMigration
    var arguments =
      [options.qemu] + options.qemuOptions + [
        "-name", name, "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "\(options.machine),memory-backend=ram", "-accel", options.accelerator, "-cpu",
        processor,
        "-smp", "\(options.processors)", "-m",
        "\(options.memory)M,maxmem=\(options.memory + options.pluggedMemory)M", "-object",
        // A destination that allocates what arrives page by page is slower than the wire where the host
        // is itself a virtual machine, and what is measured is to be the migration.
        "memory-backend-ram,id=ram,size=\(options.memory)M,prealloc=\(preallocates ? "on" : "off")",
        "-kernel", options.kernel, "-initrd", options.initramfs, "-append", line,
        "-serial", "file:\(serialLog)",
      ]
    for endpoint in [Endpoint.labQMP, .proxyQMP, .spareQMP] {
      arguments += ["-qmp", "unix:\(path(endpoint)),server=on,wait=off"]
    }
    if options.pluggedMemory > 0 {
      arguments += [
        "-object", "memory-backend-ram,id=plugged,size=\(options.pluggedMemory)M", "-device",
        "virtio-mem-pci,id=plugged0,memdev=plugged,requested-size=\(options.pluggedMemory)M",
      ]
    }
    arguments += ["-device", "virtio-serial-pci,id=serial0"]
    let ports = [
      (Endpoint.hook, id: "leafcutter0", name: "org.leafcutter.hook.0"),
      (.demo, id: "demo0", name: "org.leafcutter.demo.0"),
    ]
    for (number, port) in ports.enumerated() {
      let id = port.0.rawValue
      arguments += [
        "-chardev", "socket,id=\(id),path=\(path(port.0)),server=on,wait=off",
        "-device",
        "virtserialport,id=\(port.id),bus=serial0.0,nr=\(number + 1),chardev=\(id),name=\(port.name)",
      ]
    }
    arguments += options.balloon?.arguments ?? []
    if waitsForMigration { arguments += ["-incoming", "defer"] }
    return arguments + diskArguments(options)
  }

  private static func diskArguments(_ options: MachineOptions) -> [String] {
    var arguments = [
      "-blockdev",
      "driver=file,node-name=file0,filename=\(options.image.path),cache.direct=on,aio=threads",
      "-blockdev", "driver=raw,node-name=disk0,file=file0,cache.direct=on",
    ]
    var node = "disk0"
    if let limit = options.storage {
      node = "limited0"
      arguments += [
        "-object",
        "throttle-group,id=storage,x-iops-total=\(limit.operationsPerSecond),"
          + "x-bps-total=\(limit.bytesPerSecond)",
        "-blockdev", "driver=throttle,node-name=\(node),throttle-group=storage,file=disk0",
      ]
    }
    return arguments + ["-device", "virtio-blk-pci,drive=\(node),share-rw=off"]
  }

  public func socketPath(_ endpoint: Endpoint) -> String {
    "\(files.sockets)/\(name)-\(endpoint.rawValue)"
  }

  /// The number of QEMU's process.
  public var pid: Int32 { process.pid }

  /// nil while QEMU runs.
  public var ending: ChildProcess.Ending? { process.endingIfAny }

  /// Kills QEMU and waits until it is gone.
  public func kill() {
    qmp.close()
    process.kill()
  }

  /// Everything that the guest's console has said.
  public var console: String {
    String(decoding: FileManager.default.contents(atPath: serialLog) ?? Data(), as: UTF8.self)
  }

  /// What QEMU and the guest's console said last, for an error.
  public var logs: [String] { [process.log, serialLog].compactMap { LabFiles.tail(of: $0) } }

  /// The same on one line, for a report that shows no more than one.
  public var lastWords: String {
    logs.joined(separator: " | ").split(whereSeparator: \.isNewline).joined(separator: " | ")
  }

  /// An error with the logs, which says if QEMU has ended.
  public func error(_ sentence: String) -> LabError {
    let end = ending.map { " (QEMU \($0))" } ?? ""
    return LabError("\(name): \(sentence)\(end)", logs: logs)
  }
}
