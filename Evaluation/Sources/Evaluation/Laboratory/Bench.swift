import EvaluationReport
import Lab
import StreamProxy

/// What all runs have in common: the programs, the files, the guest.
struct Bench {
  let files: LabFiles
  let state: String
  let guestDirectory: String
  let proxyProgram: String
  let storeProgram: String
  /// The guest's memory in MiB.
  let memory: Int
  let processors: Int
  let accelerator: String
  /// Whether only what the project is for is verified, and nothing is carried out twice.
  let isQuick: Bool
  let proxySocket: ProxySocket
  private let startedAt = HostClock.now
  /// MiB that Leafcutter leaves of the database's cache, and an operator who does the same by hand.
  static let smallCache = 12

  init(
    files: LabFiles, state: String, guestDirectory: String, proxyProgram: String,
    storeProgram: String, memory: Int, processors: Int, accelerator: String, isQuick: Bool,
    proxySocket: ProxySocket = .tcp
  ) {
    self.files = files
    self.state = state
    self.guestDirectory = guestDirectory
    self.proxyProgram = proxyProgram
    self.storeProgram = storeProgram
    self.memory = memory
    self.processors = processors
    self.accelerator = accelerator
    self.isQuick = isQuick
    self.proxySocket = proxySocket
  }

  /// How the source reaches the proxy by that method; nil where there is none.
  func proxySocket(of method: Method) -> String? {
    method.usesLeafcutter ? proxySocket.rawValue : nil
  }

  /// The database of which a cache holds that share of the guest's memory, in per cent.
  func contents(filling share: Int) -> GuestImage.Contents {
    // A document of 1000 bytes takes so much of the cache, its part of the index inside.
    let bytesInCache = 1140
    let documents = memory << 20 / 100 * share / bytesInCache
    return GuestImage.Contents(documents: max(10_000, documents / 10_000 * 10_000))
  }

  /// MiB of cache in which that database has room: WiredTiger begins to evict at 95 %.
  func cache(filling share: Int) -> Int { max(64, memory * share * 112 / 10_000) }

  /// Whether every document is read and checked after a run: in one repetition of five.
  func verifies(_ method: Method, _ repetition: Int) -> Bool {
    guard method.usesLeafcutter, repetition % 5 == 1 else { return false }
    return !isQuick || method == .leafcutter
  }

  func image(_ contents: GuestImage.Contents) throws(LabError) -> GuestImage {
    try GuestImage.prepared(contents, store: storeProgram, state: state, files: files) { say($0) }
  }

  func machine(
    _ image: GuestImage, cache: Int, balloon: Balloon, guardian: [String] = []
  ) -> MachineOptions {
    var options = MachineOptions(
      kernel: "\(guestDirectory)/vmlinux", initramfs: "\(guestDirectory)/initramfs.img",
      image: image)
    options.accelerator = accelerator
    options.memory = memory
    options.processors = processors
    options.balloon = balloon
    // Time between checkpoints as MongoDB has it by default.
    options.kernelOptions = [
      "leafcutter.cache=\(cache)", "leafcutter.store=--checkpoint-seconds,60",
    ]
    options.kernelOptions.append(
      "leafcutter.guest="
        + (["--small-cache,\(Bench.smallCache)"] + guardian).joined(separator: ","))
    return options
  }

  /// A progress line, with the seconds since the program began in front.
  func say(_ text: String) {
    let seconds = HostClock.seconds(from: startedAt, to: HostClock.now).text(digits: 1)
    let padding = String(repeating: " ", count: max(0, 7 - seconds.count))
    Terminal.complain("\(padding)\(seconds) s  \(text)")
  }
}
