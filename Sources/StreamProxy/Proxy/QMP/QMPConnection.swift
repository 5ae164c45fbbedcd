import Glibc
import Threads

/// One QMP connection: the calls that wait for their replies, and the thread that reads.
///
/// The reader thread owns the incoming bytes alone; it shares with the callers only `calls` and
/// the witness, both of which lock for a few instructions. It never waits for a caller.
final class QMPConnection: Sendable {
  private struct Calls {
    var greeting: QEMUVersion?
    /// Calls under way; the reply's line once it has arrived.
    var pending: [UInt64: Outcome?] = [:]
    var nextID: UInt64 = 1
    var isWriting = false
    /// Set once; every call fails with it from then on.
    var failure: QMPError?
  }

  private enum Outcome {
    case reply([UInt8])
    case error(errorClass: String, description: String)
  }

  private let address: String
  private let socket: QMPSocket
  private let calls = Guarded(Calls())
  let witness: MigrationWitness

  init(socket: QMPSocket, address: String) throws(QMPError) {
    self.address = address
    self.socket = socket
    witness = MigrationWitness { socket.ring() }
    try startReader()
  }

  // MARK: Calling

  func waitForGreeting(within timeout: Duration) throws(QMPError) -> QEMUVersion {
    let outcome: Result<QEMUVersion, QMPError>? = calls.wait(until: .now.advanced(by: timeout)) {
      if let greeting = $0.greeting { return .success(greeting) }
      return $0.failure.map { .failure($0) }
    }
    guard let outcome else { throw .heldByAnotherClient(address: address, waited: timeout) }
    return try outcome.get()
  }

  /// Sends one command and waits for its reply, for `timeout` in all.
  ///
  /// - Parameter encode: makes the request's line out of its id.
  /// - Returns: the whole line of the reply.
  func call(
    _ command: String, timeout: Duration, encode: (UInt64) throws -> [UInt8]
  ) throws(QMPError) -> [UInt8] {
    let deadline = SuspendingClock.now.advanced(by: timeout)
    let id = try beginWriting(command, timeout: timeout, deadline: deadline)
    let line: [UInt8]
    do {
      line = try encode(id)
    } catch {
      endWriting(abandoning: id)
      throw .unexpectedReply(command: command, detail: "its arguments are no JSON: \(error)")
    }
    if let failure = socket.write(line, until: deadline) {
      endWriting(abandoning: id)
      // A command cut off half-way would swallow the next one.
      if failure.error.code == EAGAIN, failure.written == 0 {
        throw .timedOut(command: command, waited: timeout)
      }
      let reason = QMPError.connectionLost(
        reason: "\(command) could not be written: \(failure.error.text)")
      fail(reason)
      throw reason
    }
    endWriting(abandoning: nil)
    return try waitForReply(to: command, id: id, timeout: timeout, deadline: deadline)
  }

  private func beginWriting(
    _ command: String, timeout: Duration, deadline: SuspendingClock.Instant
  ) throws(QMPError) -> UInt64 {
    let outcome: Result<UInt64, QMPError>? = calls.wait(until: deadline) { calls in
      if let failure = calls.failure { return .failure(failure) }
      guard !calls.isWriting else { return nil }
      calls.isWriting = true
      let id = calls.nextID
      calls.nextID += 1
      calls.pending[id] = .some(nil)
      return .success(id)
    }
    guard let outcome else { throw .timedOut(command: command, waited: timeout) }
    return try outcome.get()
  }

  private func endWriting(abandoning id: UInt64?) {
    calls.update { calls in
      calls.isWriting = false
      if let id { calls.pending[id] = nil }
    }
  }

  private func waitForReply(
    to command: String, id: UInt64, timeout: Duration, deadline: SuspendingClock.Instant
  ) throws(QMPError) -> [UInt8] {
    let outcome: Result<Outcome, QMPError>? = calls.wait(until: deadline) { calls in
      // A reply that arrived before the connection broke is good.
      if case .some(.some(let outcome)) = calls.pending[id] { return .success(outcome) }
      return calls.failure.map { .failure($0) }
    }
    calls.update { $0.pending[id] = nil }
    guard let outcome else { throw .timedOut(command: command, waited: timeout) }
    switch try outcome.get() {
    case .reply(let line): return line
    case .error(let errorClass, let description):
      throw .refused(command: command, errorClass: errorClass, description: description)
    }
  }

  /// Ends the connection; everybody who waits, or comes later, gets `reason`.
  func fail(_ reason: QMPError) {
    let isFirst = calls.update { calls in
      guard calls.failure == nil else { return false }
      calls.failure = reason
      return true
    }
    guard isFirst else { return }
    witness.lose(reason)
    socket.shutDown()
  }

  // MARK: Reading

  private func startReader() throws(QMPError) {
    guard BlockingThread.makeIfPossible("qmp", { self.readAll() }) != nil else {
      throw .connectionLost(
        reason: SystemError("start a thread that reads", code: EAGAIN).description)
    }
  }

  private func readAll() {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    var lines = QMPLines()
    var ticket = witness.drainsAsked()
    while true {
      switch socket.read(into: &buffer) {
      case .bytes(let count):
        let now = SuspendingClock.now
        let fits = lines.append(buffer[..<count], limit: QMPClient.maximumMessage) {
          handle($0, at: now)
        }
        guard fits else {
          return fail(
            .connectionLost(
              reason: "QEMU sent a message of more than \(QMPClient.maximumMessage) bytes"))
        }
      case .nothingNow:
        // All that QEMU had written before the ticket was drawn has been handled.
        if !lines.isPartial { witness.drained(ticket) }
        socket.waitForInput()
        ticket = witness.drainsAsked()
      case .end:
        return fail(.connectionLost(reason: "QEMU closed it"))
      case .failed(let error):
        return fail(.connectionLost(reason: error.text))
      }
    }
  }

  private func handle(_ line: ArraySlice<UInt8>, at time: SuspendingClock.Instant) {
    guard let message = QMPMessage.decode(line) else {
      let beginning = String(decoding: line.prefix(60), as: UTF8.self)
      let hasGreeted = calls.read { $0.greeting != nil }
      return fail(
        hasGreeted
          ? .connectionLost(reason: "QEMU sent what is no QMP message: \"\(beginning)\"")
          : .notQMP(address: address, received: beginning))
    }
    switch message.kind {
    case .greeting(let version):
      calls.update { $0.greeting = version }
    case .event(let event):
      if let event { witness.receive(event, at: time) }
    case .reply(let id):
      settle(id, with: .reply(Array(line)))
    case .error(let id?, let errorClass, let description):
      settle(id, with: .error(errorClass: errorClass, description: description))
    case .error(nil, _, let description):
      fail(.connectionLost(reason: "QEMU could not read a command: \(description)"))
    }
  }

  /// Hands an outcome to its call, if that still waits.
  private func settle(_ id: UInt64, with outcome: Outcome) {
    calls.update { calls in
      guard calls.pending.keys.contains(id) else { return }
      calls.pending[id] = .some(outcome)
    }
  }
}
