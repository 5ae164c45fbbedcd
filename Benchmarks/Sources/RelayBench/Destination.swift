import CBenchSystem
import Glibc
import StreamProxy
import Synchronization
import Threads

/// The destination: takes every connection's bytes as they come, looks whether they are what they should
/// be, and says when so many have arrived.
final class Destination: Sendable {
  /// What came on all connections.
  struct Arrived: Sendable {
    var pages = 0
    var zeroPages = 0
    var failure: String?
  }

  let address: SocketAddress
  private let listener: Int32
  private let bytes = Atomic<Int>(0)
  private let prologue = Atomic<Int>(.max)
  private let everything = Atomic<Int>(.max)
  private let prologueArrived = WakeUp()
  private let everythingArrived = WakeUp()
  private let arrived = Mutex(Arrived())
  private let finished = Mutex<ContinuousClock.Instant?>(nil)
  private let threads = Mutex<[BlockingThread]>([])
  private let beginning: Int

  /// - Parameter beginning: the main channel's bytes up to the end of RAM's START section.
  init(_ family: BenchCase.SocketFamily, in folder: String, beginning: Int) throws {
    self.beginning = beginning
    switch family {
    case .tcp:
      var port: UInt16 = 0
      // A local to write to.
      listener = unsafe bench_listen_tcp(&port)
      address = .tcp(host: "127.0.0.1", port: "\(port)")
    case .unix:
      // The path is a string for the duration of the call.
      listener = unsafe bench_listen_unix("\(folder)/destination")
      address = .unix(path: "\(folder)/destination")
    }
    guard listener >= 0 else {
      throw BenchError("the destination cannot listen at \(address): \(errorText(errno))")
    }
    _ = BlockingThread("destination") { [self] in
      while true {
        let descriptor = bench_accept(listener)
        guard descriptor >= 0 else { return }
        let socket = Socket(owning: descriptor)
        let reader = BlockingThread("dst-channel") { [self] in receive(socket) }
        threads.withLock { $0.append(reader) }
      }
    }
  }

  deinit { Glibc.close(listener) }

  /// Before anything is sent.
  ///
  /// - Parameters:
  ///   - prologue: bytes of all connections up to the end of the prologue.
  ///   - everything: bytes of all connections at their ends.
  func expect(prologue: Int, everything: Int) {
    self.prologue.store(prologue, ordering: .relaxed)
    self.everything.store(everything, ordering: .relaxed)
  }

  func awaitPrologue() throws { try wait(prologueArrived, for: "the prologue") }

  /// When the last byte came.
  func awaitEverything() throws -> ContinuousClock.Instant {
    try wait(everythingArrived, for: "the whole stream")
    return finished.withLock { $0 } ?? .now
  }

  /// Waits for the connections' ends.
  func awaitEnd() throws -> Arrived {
    shutdown(listener, Int32(SHUT_RDWR))
    for thread in threads.withLock({ $0 }) where !thread.join(for: .seconds(20)) {
      throw BenchError("a connection to the destination was not closed")
    }
    let result = arrived.withLock { $0 }
    if let failure = result.failure { throw BenchError(failure) }
    guard bytes.load(ordering: .relaxed) == everything.load(ordering: .relaxed) else {
      throw BenchError("bytes arrived after the stream's end")
    }
    return result
  }

  private func wait(_ event: WakeUp, for what: String) throws {
    guard event.wait(for: .seconds(60)) else {
      let failure = arrived.withLock { $0.failure } ?? "it took more than a minute"
      let there = bytes.load(ordering: .relaxed)
      let expected = everything.load(ordering: .relaxed)
      throw BenchError(
        "\(what) did not arrive: \(failure) (\(there) of \(expected) bytes are there)")
    }
  }

  /// So many more have been read from a socket.
  private func count(_ more: Int) {
    let before = bytes.add(more, ordering: .relaxed).oldValue
    let (prologue, everything) = (
      prologue.load(ordering: .relaxed), everything.load(ordering: .relaxed)
    )
    if before < prologue, before + more >= prologue { prologueArrived.raise() }
    if before < everything, before + more >= everything {
      finished.withLock { $0 = .now }
      everythingArrived.raise()
    }
  }

  private func receive(_ socket: Socket) {
    do {
      let reader = ArrivalReader(socket) { [self] in count($0) }
      let arrived = try reader.readToEnd(beginning: beginning)
      self.arrived.withLock {
        $0.pages += arrived.pages
        $0.zeroPages += arrived.zeroPages
      }
    } catch {
      arrived.withLock { $0.failure = $0.failure ?? "\(error)" }
      socket.shutDown()
      everythingArrived.raise()
    }
  }
}
