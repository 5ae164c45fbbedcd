import ArgumentParser
import Lab
import StreamProxy

/// Where things are, and what the two hosts and their wire are like.
struct LaboratoryOptions: ParsableArguments {
  @Option(help: "The rate of the wire, as tc writes it.")
  var link = "1gbit"
  @Option(help: "How much longer everything on the wire takes, in milliseconds each way.")
  var delay = 0
  @Option(help: "QEMU's accelerator.")
  var accel = "tcg,thread=multi"
  @Option(
    name: .customLong("guest-option"), parsing: .singleValue,
    help: "Added to the guest's kernel command line (see qemu-config/guest/init).")
  var guestOptions: [String] = []
  @Option(help: "How long a migration may take, in seconds.")
  var timeout = 300.0
  @Option(name: .customLong("json"), help: "Write the figures to this file.")
  var jsonFile: String?
  @Flag(help: "Keep the logs of QEMU, guest and proxy.")
  var keepLogs = false

  @OptionGroup var places: LabPlaces

  func validate() throws {
    guard delay >= 0 else { throw ValidationError("--delay must not be negative.") }
  }

  /// Makes the hosts, and the image if there is none yet.
  ///
  /// - Parameters:
  ///   - memory: MiB, as is `cache`.
  ///   - rate: operations per second.
  func setup(
    documents: Int, memory: Int, processors: Int, cache: Int, rate: Int, threads: Int
  ) throws(LabError) -> DemoSetup {
    let files = try LabFiles(state: places.state, keepsLogs: keepLogs)
    if keepLogs { Terminal.complain("logs are kept in \(files.logs)") }
    let image = try GuestImage.prepared(
      .init(documents: documents), store: places.store, state: places.state, files: files
    ) { Terminal.complain("        \($0)") }
    return DemoSetup(
      files: files, hosts: try TwoHosts(rate: link, delay: delay, files: files), image: image,
      proxyProgram: places.proxy, kernel: "\(places.guest)/vmlinux",
      initramfs: "\(places.guest)/initramfs.img",
      accelerator: accel, memory: memory, processors: processors, cache: cache, rate: rate,
      threads: threads, seed: 1, guestOptions: guestOptions, timeout: timeout)
  }
}
