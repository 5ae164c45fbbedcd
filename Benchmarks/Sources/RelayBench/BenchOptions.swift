import ArgumentParser
import Glibc

/// What all measurements have in common.
struct BenchOptions: ParsableArguments {
  @Option(help: ArgumentHelp("leafcutter, built for release.", valueName: "file"))
  var proxy: String

  @Option(
    name: .customLong("call-counter"),
    help: ArgumentHelp("libcall_counter.so, which counts calls in the relays.", valueName: "file"))
  var callCounter: String

  @Option(help: ArgumentHelp("How much memory is sent in each turn, in MiB.", valueName: "MiB"))
  var megabytes = 1024

  @Option(help: ArgumentHelp("How often each is measured.", valueName: "times"))
  var repeats = 5

  func validate() throws {
    // The memory is there in fact, beside the relay's.
    guard megabytes >= 16, megabytes <= 65_536, megabytes % 2 == 0 else {
      throw ValidationError("--megabytes takes an even number from 16 to 65536.")
    }
    guard repeats > 0, repeats <= 100 else {
      throw ValidationError("--repeats takes a number from 1 to 100.")
    }
  }

  var programs: RelayCommand.Programs {
    get throws {
      for path in [proxy, callCounter] where unsafe access(path, R_OK) != 0 {
        throw BenchError("\(path) is not there; `make bench` builds it")
      }
      return RelayCommand.Programs(
        proxy: proxy, callCounter: callCounter, bench: "/proc/self/exe")
    }
  }
}
