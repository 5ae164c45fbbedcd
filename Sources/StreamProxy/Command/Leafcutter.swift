import ArgumentParser
import Glibc
import HookLink
import StreamProxy
import Threads

@main
enum Program {
  /// Not asynchronous: an asynchronous `main` gives the first thread to Dispatch, which parks it with every signal
  /// unblocked, and the kernel would end the program there before anybody hears of it.
  static func main() {
    do {
      var command = try Leafcutter.parseAsRoot()
      // The others end where they are when a signal comes.
      guard let proxy = command as? ProxyCommand else {
        try command.run()
        return
      }
      // Before there is any other thread: all of them inherit this one's mask.
      TerminationSignals.block()
      Task.detached { await carry(proxy) }
      while true { pause() }
    } catch {
      Leafcutter.exit(withError: error)
    }
  }

  private static func carry(_ proxy: ProxyCommand) async -> Never {
    do {
      try await proxy.run()
      Leafcutter.exit()
    } catch {
      await BackgroundOutput.drainStandardError()
      Leafcutter.exit(withError: error)
    }
  }
}

extension BackgroundOutput {
  /// Before the program says anything on standard output, or ends.
  static func drainStandardError() async {
    await BlockingThread.run("drain") { standardError.drain() }
  }
}

struct Leafcutter: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "leafcutter",
    abstract: "Makes live migration of a virtual machine that runs a document database short.",
    discussion: """
      The proxy stands between two QEMUs. It asks the guest to evict the leaf pages of its database \
      cache, takes the memory they occupied out of the migration stream, and the guest reads the \
      pages back at the destination.
      """,
    version: leafcutterVersion,
    subcommands: [ProxyCommand.self, ControlCommand.self, InspectCommand.self])
}
