import ArgumentParser
import CBenchSystem
import Glibc
import StreamProxy

/// The program that ``FloorCommand`` measures.
struct SinkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sink", abstract: "Take one connection's bytes and do nothing with them.",
    shouldDisplay: false)

  enum Sink: String, CaseIterable, ExpressibleByArgument {
    case discard, read, splice

    var words: String {
      switch self {
      case .discard: "discarded (MSG_TRUNC)"
      case .read: "read into a buffer"
      case .splice: "spliced to /dev/null"
      }
    }
  }

  /// The proxy's (SO_RCVBUF): `BytesInFlight.smallestBuffer`, which is not public; a test compares them.
  static let boundedBuffer: Int32 = 128 * 1024
  private static let size = 256 * 1024

  @Argument var listen: String
  @Argument var sink: Sink
  @Flag var bounded = false

  func run() throws {
    guard let listen = SocketAddress(listen) else {
      throw ValidationError("Addresses are tcp:HOST:PORT or unix:PATH.")
    }
    let source: Socket
    if bounded {
      guard
        let accepted = try Listener(listen, receiveBuffer: SinkCommand.boundedBuffer).accept()
      else { return }
      source = accepted
    } else {
      source = Socket(owning: bench_accept(try SpliceCommand.listen(at: listen)))
    }
    var reading: Int32 = -1
    var writing: Int32 = -1
    // Two locals to write to.
    _ = unsafe bench_pipe(&reading, &writing, Int32(SinkCommand.size))
    // The path is a string for the duration of the call.
    let null = unsafe open("/dev/null", O_WRONLY | O_CLOEXEC)
    unsafe withUnsafeTemporaryAllocation(byteCount: SinkCommand.size, alignment: 4096) { buffer in
      while true {
        switch sink {
        case .discard:
          // Nothing is written to the buffer.
          guard recv(source.descriptor, nil, 1 << 20, Int32(MSG_TRUNC)) > 0 else {
            return
          }
        case .read:
          // At most as much as the buffer holds.
          guard unsafe recv(source.descriptor, buffer.baseAddress, buffer.count, 0) > 0 else {
            return
          }
        case .splice:
          let taken = bench_splice(source.descriptor, writing, SinkCommand.size)
          guard taken > 0, bench_splice(reading, null, taken) == taken else { return }
        }
      }
    }
  }
}
