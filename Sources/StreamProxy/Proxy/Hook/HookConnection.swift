import Glibc
import HookLink
import Logging
import Synchronization
import Threads

/// The proxy's end of the hook link: the socket on which QEMU serves the guest's virtio-serial port
/// `org.leafcutter.hook.0`.
///
/// Everything that arrives is read and obeyed under one lock, by the reader thread as it comes and
/// by the judge at the point of no return (``drain()``). So when the judge has drained it, every
/// REVOKE that the kernel had is in force.
final class HookConnection: Sendable {
  /// Acknowledgements that QEMU does not take are kept up to this many bytes; a guest that reads
  /// none of them does not need more.
  private static let maximumOutbound = 64 * 1024
  /// What one turn of the reader takes in, so that a guest that never stops sending holds up nobody
  /// who needs the lock.
  private static let bytesPerTurn = 64 * 1024
  /// What a stopped guest can have left behind is far less (a report has 32 KiB per GiB of memory).
  private static let bytesPerDrain = 64 * 1024 * 1024

  private struct State {
    var decoder = FrameDecoder()
    var outbound: [UInt8] = []
    var session: GuestSession?
    /// How long the guest has run, in nanoseconds.
    var runningTime: @Sendable () -> UInt64 = { 0 }
    /// Why nothing more comes from the guest.
    var ended: String?
    /// That is what it has sent.
    var isMalformed = false
  }

  /// Raised whenever something has changed that somebody may be waiting for.
  let changed: WakeUp
  private let stopping: WakeUp
  private let socket: Socket
  private let state = Mutex(State())
  /// Raised with the session's offence, so that the data path looks at a word and takes no lock.
  private let hasOffence = Atomic(false)
  private let logger: Logger

  /// - Throws: ``SystemError`` where descriptors have run out.
  init(_ socket: Socket, logger: Logger) throws(SystemError) {
    changed = try WakeUp.make()
    stopping = try WakeUp.make()
    self.socket = socket
    self.logger = logger
  }

  /// - Throws: ``SystemError``, for instance where nobody listens, or where QEMU, which serves one at a time, has a
  ///   queue that stays full.
  static func connect(
    to address: SocketAddress, logger: Logger
  ) throws(SystemError) -> HookConnection {
    do throws(SystemError) {
      let socket = try Socket.connect(to: address, within: connectingTime)
      return try HookConnection(socket, logger: logger)
    } catch {
      guard error.code == EAGAIN else { throw error }
      throw SystemError(
        error.action, because: "another proxy holds the hook socket, which serves one at a time")
    }
  }

  private static let connectingTime = Duration.seconds(10)

  /// Starts reading on a thread of its own; false where none is to be had.
  func start() -> Bool {
    BlockingThread.makeIfPossible("hook-link") { self.readUntilEnd() } != nil
  }

  /// Opens a migration: the guest is asked to prepare, and its answers are collected.
  ///
  /// - Parameter runningTime: how long the guest has run, in nanoseconds; the guest's own times are
  ///   compared with it.
  func prepare(
    _ request: HostMessage.Prepare, session: GuestSession,
    runningTime: @escaping @Sendable () -> UInt64
  ) {
    state.withLock { state in
      state.runningTime = runningTime
      state.session = session
      enqueue(request.frame(for: session.migration), &state)
    }
  }

  /// Tells the guest that it stays here.
  func abort(_ reason: String) {
    state.withLock { state in
      guard let session = state.session else { return }
      state.session?.abort()
      enqueue(HostMessage.Abort(reason: reason).frame(for: session.migration), &state)
    }
  }

  /// Stops waiting for the report; nothing of it will be used.
  func giveUp(_ reason: String) {
    state.withLock { $0.session?.giveUp(reason) }
  }

  /// Reads and obeys everything that has arrived: to EAGAIN, to the end of the link, or 64 MiB of a guest that
  /// never stops sending.
  func drain() {
    state.withLock { receive(&$0, atMost: HookConnection.bytesPerDrain) }
  }

  /// What is known now, and why the link has ended if it has.
  func snapshot() -> (session: GuestSession?, ended: String?) {
    state.withLock { ($0.session, $0.ended) }
  }

  /// The last heartbeat whose acknowledgement QEMU has taken; nil before the first, and while QEMU
  /// takes none.
  var lastHeartbeat: (at: ContinuousClock.Instant, time: UInt64)? {
    state.withLock { $0.outbound.isEmpty ? $0.session?.lastHeartbeat : nil }
  }

  /// How the guest broke its word after its report had been put to use, if it did.
  var offence: String? {
    guard hasOffence.load(ordering: .acquiring) else { return nil }
    return state.withLock { $0.session?.offence }
  }

  /// Waits until the guest says that it has resumed, or the link or the time ends.
  func awaitAnswerToAbort(for time: Duration) {
    let deadline = ContinuousClock.now + time
    while ContinuousClock.now < deadline {
      changed.lower()
      let known = snapshot()
      if known.ended != nil || known.session?.resumed != nil { return }
      _ = waitReadable(
        changed.descriptor, or: nil, for: ContinuousClock.now.duration(to: deadline))
    }
  }

  func close() {
    stopping.raise()
    socket.shutDown()
  }

  private func readUntilEnd() {
    while true {
      let writing = state.withLock { $0.outbound.isEmpty ? 0 : POLLOUT }
      guard wait(socket.descriptor, POLLIN | writing, or: stopping) == .ready else { return }
      let (ended, isMalformed) = state.withLock { state in
        flush(&state)
        receive(&state, atMost: HookConnection.bytesPerTurn)
        return (state.ended, state.isMalformed)
      }
      changed.raise()
      guard let ended else { continue }
      // Not where it is noticed: the judge may be waiting for that, and the guest for the judge.
      if isMalformed { logger.error("hook link: \(ended)") }
      return
    }
  }

  /// Reads and obeys what has arrived, up to a number of bytes.
  private func receive(_ state: inout State, atMost limit: Int) {
    var taken = 0
    // One read at a time, so that a guest that never stops sending costs no memory.
    unsafe withUnsafeTemporaryAllocation(byteCount: 64 * 1024, alignment: 16) { buffer in
      while state.ended == nil, taken < limit {
        // The buffer lives in this closure; only what was read is looked at.
        let count = unsafe recv(
          socket.descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 {
          taken += count
          unsafe state.decoder.append(buffer[..<count])
          obeyFrames(&state)
        } else if count == 0 {
          state.ended = "the guest's hook port was closed by QEMU"
        } else if errno == EAGAIN {
          return
        } else if errno != EINTR {
          state.ended = SystemError("read from the hook link").description
        }
      }
    }
  }

  private func obeyFrames(_ state: inout State) {
    do throws(LinkError) {
      while let frame = try state.decoder.next() {
        let running = state.runningTime()
        if let reply = state.session?.receive(frame, running: running),
          let session = state.session
        {
          enqueue(reply.frame(for: session.migration), &state)
        }
        if state.session?.offence != nil { hasOffence.store(true, ordering: .releasing) }
      }
    } catch {
      state.ended = error.description
      state.session?.giveUp(error.description)
      state.isMalformed = true
    }
  }

  private func enqueue(_ bytes: [UInt8], _ state: inout State) {
    guard state.outbound.count + bytes.count <= HookConnection.maximumOutbound else { return }
    state.outbound.append(contentsOf: bytes)
    flush(&state)
  }

  private func flush(_ state: inout State) {
    while !state.outbound.isEmpty {
      // The array is alive and unchanged during the call.
      let count = unsafe state.outbound.withUnsafeBytes { bytes in
        unsafe send(
          socket.descriptor, bytes.baseAddress, bytes.count,
          Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        state.outbound.removeFirst(count)
      } else if errno != EINTR {
        // EAGAIN waits for POLLOUT; a broken link is noticed by reading.
        return
      }
    }
  }
}
