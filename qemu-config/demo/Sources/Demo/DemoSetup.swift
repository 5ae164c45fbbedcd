import Lab
import StreamProxy

/// What all runs of one demo have in common.
struct DemoSetup {
  let files: LabFiles
  let hosts: TwoHosts
  let image: GuestImage
  let proxyProgram: String
  let kernel: String
  let initramfs: String
  let accelerator: String
  /// MiB.
  let memory: Int
  let cache: Int
  /// Operations per second.
  let rate: Int
  let threads: Int
  let seed: Int
  /// Seconds for a migration, and for reading the cache back.
  let timeout: Double
  private let startedAt = HostClock.now

  static let destinationURI = "tcp:\(TwoHosts.destinationAddress):4444"
  /// The workload runs so long before anything is counted.
  static let settleSeconds: Double = 5

  func machine(_ image: GuestImage) -> MachineOptions {
    var options = MachineOptions(kernel: kernel, initramfs: initramfs, image: image)
    options.accelerator = accelerator
    options.memory = memory
    options.kernelOptions = ["leafcutter.cache=\(cache)"]
    return options
  }

  /// A progress line, with the seconds since the demo began in front.
  func say(_ text: String) {
    let seconds = HostClock.seconds(from: startedAt, to: HostClock.now).text(digits: 1)
    let padding = String(repeating: " ", count: max(0, 6 - seconds.count))
    complain("\(padding)\(seconds) s  \(text)")
  }
}

/// One line on standard error.
func complain(_ text: String) { Terminal.write(text + "\n") }
