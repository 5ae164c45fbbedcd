import CBenchSystem
import Glibc
import StreamProxy
import Synchronization

// Where a turn takes place.

extension Turn {
  private static let number = Atomic<Int>(0)

  /// Makes a folder for the sockets of one turn, and removes it afterwards. Its name is short, because the
  /// path of a socket is; it is another one each time, because a socket's file goes with the last thread that
  /// holds it.
  static func inFolder<Value>(_ body: (String) throws -> Value) throws -> Value {
    let number = number.add(1, ordering: .relaxed).newValue
    let folder = "/tmp/leafcutter-bench-\(getpid())-\(number)"
    try TurnCleanup.shared.makeFolder(folder)
    defer { TurnCleanup.shared.removeFolder(folder) }
    return try body(folder)
  }

  /// Where a relay can listen.
  static func freeAddress(
    _ family: BenchCase.SocketFamily, in folder: String
  ) throws -> SocketAddress {
    switch family {
    case .unix: return .unix(path: "\(folder)/relay")
    case .tcp:
      var port: UInt16 = 0
      // A local to write to.
      let listener = unsafe bench_listen_tcp(&port)
      guard listener >= 0 else { throw BenchError("there is no free port") }
      close(listener)
      return .tcp(host: "127.0.0.1", port: "\(port)")
    }
  }

  /// Again and again, until the relay listens: it passes every connection on, so none may be a trial.
  static func connect(to address: SocketAddress, _ relay: RelayProcess?) throws -> Socket {
    let deadline = ContinuousClock.now + .seconds(10)
    while true {
      do {
        let socket = try Socket.connect(to: address)
        bench_send_at_once(socket.descriptor)
        return socket
      } catch {
        guard relay?.isAlive != false, .now < deadline else {
          throw BenchError("the relay does not listen (\(error)); it said: \(relay?.said ?? "")")
        }
        usleep(2000)
      }
    }
  }
}
