import Glibc
import PageFilter

/// A multifd channel, source to destination: headers are read and rewritten, runs of pages pass
/// inside the kernel, and those that are dropped end there.
struct MultifdChannel: ~Copyable {
  private let channel: Channel
  private let session: EditingSession
  private let marks: MarkLedger
  private let running: @Sendable () -> UInt64
  private let claimFailure: @Sendable () -> Bool
  private let pipe: KernelPipe
  private var writer: GatheredWriter
  private var short = ShortRuns()
  private var inFlight: BytesInFlight
  private var editor = MultifdEditor()
  private var packet = MultifdPacket()
  private var snapshot = ChannelSnapshot()
  private var reported: ReportedPages?

  /// - Parameters:
  ///   - running: how long the guest has run, in nanoseconds.
  ///   - claimFailure: claims that the migration fails before its point of no return; false where that has passed.
  init(
    _ channel: Channel, session: EditingSession, marks: MarkLedger,
    within downtimeLimit: DowntimeLimit,
    running: @escaping @Sendable () -> UInt64, claimFailure: @escaping @Sendable () -> Bool
  ) throws(ChannelFailure) {
    self.channel = channel
    self.session = session
    self.marks = marks
    self.running = running
    self.claimFailure = claimFailure
    writer = GatheredWriter(channel)
    inFlight = BytesInFlight(channel.source, channel.destination, within: downtimeLimit)
    pipe = try KernelPipe(of: channel)
    session.joined(channel.id)
  }

  /// Relays until the source ends the channel, of which its owner tells the session.
  mutating func relayUntilEnd(publish: (ChannelSnapshot) -> Void) throws(ChannelFailure) {
    var header: [UInt8] = []
    header.reserveCapacity(2048)
    var isFirst = true
    defer { tell(publish) }
    while try readPacket(&header, publish) {
      try carryPacket()
      if isFirst {
        isFirst = false
        // The length of every other header depends on it.
        let pageSize = session.awaitPageSize()
        guard pageSize == EditingSession.pageSize else {
          return try becomeRaw(.otherPageSize(pageSize), after: [], publish)
        }
      }
      inFlight.follow(writer.rate)
      tell(publish)
    }
  }

  private mutating func tell(_ publish: (ChannelSnapshot) -> Void) {
    snapshot.counters.normalPages = editor.counters.normalPages
    snapshot.counters.zeroPages = editor.counters.zeroPages
    snapshot.counters.deadPagesMet = editor.counters.deadPagesMet
    snapshot.counters.droppedPages = editor.counters.droppedPages
    snapshot.counters.markCopies = editor.counters.markCopies
    snapshot.counters.bytesOut = UInt64(snapshot.bytesWritten)
    snapshot.wireRate = writer.rate.bytesPerSecond
    snapshot.wireWindows = writer.rate.windows
    snapshot.inFlight = inFlight.bytes
    publish(snapshot)
  }

  /// Reads one header and has it decided; false at the end of the channel, or after the rest of it
  /// has been passed on unread.
  private mutating func readPacket(
    _ header: inout [UInt8], _ publish: (ChannelSnapshot) -> Void
  ) throws(ChannelFailure) -> Bool {
    header.removeAll(keepingCapacity: true)
    while true {
      let progress: MultifdEditor.Progress
      do throws(BypassReason) {
        // Borrowed for the call only.
        progress = try unsafe editor.process(header.span.bytes, into: &packet)
      } catch {
        try becomeRaw(error, after: header, publish)
        return false
      }
      switch progress {
      case .needsHeader(let count):
        guard try read(to: count, into: &header) else {
          // What is no whole header belongs to nobody.
          try write(header)
          return false
        }
      case .firstPages:
        let terms = session.awaitTerms()
        reported = terms.reported
        editor.begin(
          blocks: terms.blocks, dead: terms.dead, mark: terms.mark, probes: terms.probes
        ) { [session] in session.claimDropping() }
      case .decided:
        snapshot.counters.bytesIn += UInt64(header.count + packet.payloadLength)
        return true
      }
    }
  }

  private mutating func carryPacket() throws(ChannelFailure) {
    if packet.zeroesMark { noteMark() }
    let whole =
      packet.runs.count < ShortRuns.many ? try carryRuns() : try carryManyRuns()
    guard whole else { return }
    editor.passed(packet)
    if packet.isSync { session.passed(syncs: editor.syncs, on: channel.id) }
  }

  /// Each run by itself; false where the source ended before the last.
  private mutating func carryRuns() throws(ChannelFailure) -> Bool {
    try write(packet.header)
    for run in packet.runs {
      guard try carry(run) else { return false }
    }
    return true
  }

  /// Short runs together; false where the source ended before the last.
  private mutating func carryManyRuns() throws(ChannelFailure) -> Bool {
    let before = writer.bytesWritten
    defer { snapshot.bytesWritten += writer.bytesWritten - before }
    try short.begin(packet.header, &writer)
    var index = 0
    while index < packet.runs.count {
      let run = packet.runs[index]
      if ShortRuns.takes(run) {
        guard
          let next = try short.carry(packet.runs, from: index, of: channel.source, &writer)
        else { return false }
        index = next
        continue
      }
      // What is thrown away stands in nobody's way.
      if case .discard = run {} else { try flushShort() }
      guard try carry(run) else {
        try flushShort()
        return false
      }
      index += 1
    }
    try flushShort()
    return true
  }

  private mutating func flushShort() throws(ChannelFailure) {
    try writer.flush()
    short.emptied()
  }

  /// False where the source ended before the run did.
  private mutating func carry(_ run: MultifdPacket.Run) throws(ChannelFailure) -> Bool {
    switch run {
    case .forward(let count): return try forward(count)
    case .discard(let count): return try pipe.discard(count)
    case .mark(let count):
      var page: [UInt8] = []
      let whole = try read(to: count, into: &page)
      if whole {
        editor.passMark(&page)
        noteMark()
      }
      try write(page)
      return whole
    case .probe(let count, let number):
      var page: [UInt8] = []
      let whole = try read(to: count, into: &page)
      if whole, editor.passProbe(page, number: number) { reported?.prove(number) }
      try write(page)
      return whole
    }
  }

  private func noteMark() {
    marks.passed(
      editor.lastMarkCopy, on: channel.id, after: editor.syncs, running: running(),
      earlier: false)
  }

  /// What cannot be read is passed on as it is, if no page has been dropped on any channel.
  private mutating func becomeRaw(
    _ reason: BypassReason, after header: [UInt8], _ publish: (ChannelSnapshot) -> Void
  ) throws(ChannelFailure) {
    // After the point of no return it is passed on, whatever it is.
    guard session.refuseDropping(reason.description) || !claimFailure() else {
      throw .closeBoth("on a multifd channel, after pages had been dropped: \(reason)")
    }
    // What cannot be read may be pages that the guest is about to fill with zeroes.
    _ = session.awaitTerms()
    session.becameRaw(channel.id)
    snapshot.bypassReason = "on a multifd channel: \(reason)"
    snapshot.counters.bytesIn += UInt64(header.count)
    try write(header)
    while true {
      let moved = try pipe.forward(
        atMost: KernelPipe.capacity, to: channel.destination, rate: &writer.rate)
      guard moved > 0 else { return }
      snapshot.bytesWritten += moved
      snapshot.counters.bytesIn += UInt64(moved)
      inFlight.follow(writer.rate)
      tell(publish)
    }
  }

  /// False where the source ended before.
  private mutating func forward(_ count: Int) throws(ChannelFailure) -> Bool {
    var left = count
    while left > 0 {
      let moved = try pipe.forward(atMost: left, to: channel.destination, rate: &writer.rate)
      guard moved > 0 else { return false }
      snapshot.bytesWritten += moved
      left -= moved
    }
    return true
  }

  /// Reads until `bytes` has `count` of them; false where the channel ends before.
  private func read(to count: Int, into bytes: inout [UInt8]) throws(ChannelFailure) -> Bool {
    while bytes.count < count {
      let old = bytes.count
      bytes.append(contentsOf: repeatElement(0, count: count - old))
      let got: Int
      do throws(SystemError) {
        got = try channel.source.read(into: &bytes, from: old)
      } catch {
        throw .source(error)
      }
      bytes.removeLast(count - old - got)
      guard got > 0 else { return false }
    }
    return true
  }

  private mutating func write(_ bytes: [UInt8]) throws(ChannelFailure) {
    guard !bytes.isEmpty else { return }
    try channel.outgoing.write(bytes, to: channel.destination)
    snapshot.bytesWritten += bytes.count
    snapshot.counters.bytesOut = UInt64(snapshot.bytesWritten)
  }
}
