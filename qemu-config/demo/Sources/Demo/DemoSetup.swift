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
  let processors: Int
  let cache: Int
  /// Operations per second.
  let rate: Int
  let threads: Int
  let seed: Int
  let guestOptions: [String]
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
    options.processors = processors
    options.kernelOptions = ["leafcutter.cache=\(cache)"] + guestOptions
    return options
  }

  /// A progress line, with the seconds since the demo began in front. On a terminal it takes the place
  /// of what ``showProgress(_:)`` wrote last.
  func say(_ text: String) {
    Terminal.complain(Terminal.isPresent ? "\r\(timed(text))\u{1b}[K" : timed(text))
  }

  /// The same for what changes twice a second: a terminal gets one line that is written anew (ECMA-48,
  /// EL), a file none of it.
  func showProgress(_ text: String) {
    if Terminal.isPresent { Terminal.write("\r\(timed(text))\u{1b}[K") }
  }

  private func timed(_ text: String) -> String {
    let seconds = HostClock.seconds(from: startedAt, to: HostClock.now).text(digits: 1)
    let padding = String(repeating: " ", count: max(0, 6 - seconds.count))
    return "\(padding)\(seconds) s  \(text)"
  }
}
