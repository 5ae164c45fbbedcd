import ArgumentParser
import CBenchSystem
import Glibc
import StreamProxy
import Threads

/// The least that a relay can do: every connection goes to the destination by splice(2), in both
/// directions. It is a program of its own so that its cost can be told apart.
struct SpliceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "splice", abstract: "Relay connections with splice(2) and nothing else.",
    shouldDisplay: false)

  /// In bytes: what pipe-max-size (proc(5)) allows everybody.
  static let pipeSize = 1 << 20

  @Argument var listen: String
  @Argument var connect: String

  func run() throws {
    guard let listen = SocketAddress(listen), let connect = SocketAddress(connect) else {
      throw ValidationError("Addresses are tcp:HOST:PORT or unix:PATH.")
    }
    let listener = try SpliceCommand.listen(at: listen)
    while true {
      let descriptor = bench_accept(listener)
      guard descriptor >= 0 else { return }
      let source = Socket(owning: descriptor)
      let destination = try Socket.connect(to: connect)
      for socket in [source, destination] { bench_send_at_once(socket.descriptor) }
      for (from, to) in [(source, destination), (destination, source)] {
        _ = BlockingThread("splice") { SpliceCommand.relay(from, to) }
      }
    }
  }

  /// With the kernel's buffers.
  static func listen(at address: SocketAddress) throws -> Int32 {
    let listener: Int32
    switch address {
    case .unix(let path):
      // The path is a string for the duration of the call.
      listener = unsafe bench_listen_unix(path)
    case .tcp(_, let port):
      var number = UInt16(port) ?? 0
      // A local to read.
      listener = unsafe bench_listen_tcp(&number)
    }
    guard listener >= 0 else {
      throw BenchError("cannot listen at \(address): \(errorText(errno))")
    }
    return listener
  }

  /// Until the end of `from`, which is passed on.
  private static func relay(_ from: Socket, _ to: Socket) {
    var reading: Int32 = -1
    var writing: Int32 = -1
    // Two locals to write to.
    guard unsafe bench_pipe(&reading, &writing, Int32(pipeSize)) == 0 else { return }
    defer {
      close(reading)
      close(writing)
      to.shutDownWriting()
    }
    while true {
      var left = bench_splice(from.descriptor, writing, pipeSize)
      guard left > 0 else { return }
      while left > 0 {
        let moved = bench_splice(reading, to.descriptor, left)
        guard moved > 0 else { return }
        left -= moved
      }
    }
  }
}
