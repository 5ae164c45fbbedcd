import Glibc
import HookLink
import StreamProxy
import Synchronization
import Threads

/// One stream through one relay.
struct Turn {
  /// What was seen of it. The counts and the time begin after the prologue and end when the destination
  /// has everything; the processor's time is the whole life of the program.
  struct Result {
    /// What the source sent, in bytes.
    var input: Int
    var seconds: Double
    var dropped: Int
    var pages: Int
    var time = RelayProcess.Time()
    var counts = RelayCounters.Counts()
    var memory = RelayMemory()
  }

  let bench: BenchCase
  let memory: GuestMemory
  let programs: RelayCommand.Programs

  func run() throws -> Result {
    try Turn.inFolder { try run(in: $0) }
  }

  private func run(in folder: String) throws -> Result {
    var stream = SourceStream(memory, mode: bench.mode, channels: bench.channels)
    let beginning = stream.beginning()
    let destination = try Destination(bench.socket, in: folder, beginning: beginning.count)
    let listen =
      try bench.relay == .none ? destination.address : Turn.freeAddress(bench.socket, in: folder)
    let command = RelayCommand(
      programs: programs, folder: folder, listen: listen, connect: destination.address,
      hook: .unix(path: "\(folder)/hook"), qmp: .unix(path: "\(folder)/qmp"))
    let isEdited = bench.relay == .leafcutter
    let monitor =
      try isEdited
      ? SourceMonitor(
        at: command.qmp, memory: memory,
        multifdChannels: bench.mode == .multifd ? bench.channels : 0)
      : nil
    let guest =
      try isEdited
      ? ReportingGuest(at: command.hook, memory: memory, dead: bench.dead) : nil
    defer {
      monitor?.close()
      guest?.close()
    }
    let relay = try command.arguments(bench).map {
      try RelayProcess($0, callCounter: programs.callCounter, in: folder)
    }

    let main = try Turn.connect(to: listen, relay)
    try main.write(beginning)
    var migration = MigrationID.none
    if let guest {
      guard let asked = guest.awaitReport() else {
        throw BenchError("the proxy did not ask the guest; it said: \(relay?.said ?? "")")
      }
      migration = asked
    }
    let others = try (0..<(bench.mode == .multifd ? bench.channels : 0)).map { _ in
      try Turn.connect(to: listen, relay)
    }
    let sizes = StreamSizes(bench, memory, beginning: beginning.count)
    let mark = ReportingGuest.mark(of: migration)
    let probe = ReportingGuest.probe(of: migration)
    let prologue = stream.prologue(mark: mark, probe: probe)
    destination.expect(
      prologue: sizes.prologue + prologue.count,
      everything: sizes.arriving + prologue.count
        + stream.lengthOfEnding(mark: mark))
    for (index, channel) in others.enumerated() {
      try channel.write(SourceStream.channelBeginning(index))
    }
    try main.write(prologue)
    try others.first?.write(
      SourceStream.packet([(GuestMemory.markPage, mark), (GuestMemory.probePage, probe)]))
    try destination.awaitPrologue()

    let before = relay?.now
    let began = ContinuousClock.now
    let source = PageSource(memory: memory)
    if others.isEmpty {
      try source.sendRecords(to: main)
    } else {
      try sendPackets(source, to: others)
    }
    monitor?.stopGuest()
    let lastMark = ReportingGuest.mark(of: migration)
    try others.first?.write(SourceStream.packet([(GuestMemory.markPage, lastMark)]))
    for channel in others { try channel.write(SourceStream.synchronisation) }
    try main.write(stream.ending(mark: lastMark))
    let ended = try destination.awaitEverything()

    var result = Result(
      input: sizes.timedInput, seconds: began.duration(to: ended) / .seconds(1),
      dropped: sizes.dropped, pages: memory.pages)
    if let relay, let before {
      result.counts = relay.now - before
      result.memory = relay.memory
    }
    monitor?.completeMigration()
    for socket in others + [main] { socket.shutDownWriting() }
    let arrived = try destination.awaitEnd()
    if let relay {
      result.time =
        try isEdited
        ? relay.awaitSuccess() : relay.terminate(afterChildren: bench.relay.endsItsChildren)
    }
    guard arrived.zeroPages == sizes.dropped,
      arrived.pages == sizes.pagesSent - sizes.dropped
    else {
      throw BenchError(
        "\(bench): \(arrived.pages) pages and \(arrived.zeroPages) zero pages arrived, but "
          + "\(sizes.pagesSent) were sent and \(sizes.dropped) of them are dead")
    }
    return result
  }

  private func sendPackets(_ source: PageSource, to channels: [Socket]) throws {
    let turn = SharedTurn()
    let threads = channels.map { channel in
      BlockingThread("src-channel") {
        do {
          try source.sendPackets(to: channel, turn: turn.next)
        } catch {
          turn.failure.withLock { $0 = "\(error)" }
        }
      }
    }
    for thread in threads { thread.join() }
    if let failure = turn.failure.withLock({ $0 }) { throw BenchError(failure) }
  }

  private final class SharedTurn: Sendable {
    let next = Atomic<Int>(0)
    let failure = Mutex<String?>(nil)
  }
}
