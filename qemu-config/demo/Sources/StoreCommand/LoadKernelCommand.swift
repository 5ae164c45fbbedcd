import ArgumentParser
import CStoreSystem
import DocumentStore
import Glibc

struct LoadKernelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load-kernel",
    abstract: "Load a kernel for kexec that does nothing, start it, or unload it.",
    discussion: """
      As root. Started, it ends everything in this machine at once and stops the processor. Exit codes: 0 \
      it is loaded, or unloaded; 1 the kernel refuses that; 64 wrong flags.
      """)

  @Flag(help: "Start it as soon as it is loaded.")
  var start = false
  @Flag(help: "Unload it.")
  var unload = false

  func validate() throws {
    guard !start || !unload else {
      throw ValidationError("--start and --unload exclude each other.")
    }
  }

  func run() throws {
    var code = unload ? leafcutter_store_unload_kernel() : leafcutter_store_load_kernel()
    if start, code == 0 { code = leafcutter_store_start_kernel() }
    guard code == 0 else {
      logLine("kexec is refused: \(unsafe String(cString: strerror(code)))")
      throw ExitCode.failure
    }
  }
}
