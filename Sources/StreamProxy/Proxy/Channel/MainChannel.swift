import Glibc
import PageFilter
import Synchronization

/// The main channel, or post-copy's preempt channel, source to destination: reads, lets the editor
/// decide, writes. One thread, one buffer, no copy of a page.
@safe
struct MainChannel: ~Copyable {
  /// What one read may take in; with the sockets' buffers it bounds the bytes that QEMU takes for
  /// sent and that are still here.
  static let inputSize = 256 * 1024

  private let channel: Channel
  private let buffer: UnsafeMutableRawBufferPointer
  private var start = 0
  private var end = 0
  private var editor: StreamEditor
  private var edits = EditList()
  private var snapshot = ChannelSnapshot()
  private var clock = ParsingClock()
  private let downtimeLimit: DowntimeLimit

  init(_ channel: Channel, editor: consuming StreamEditor, within downtimeLimit: DowntimeLimit) {
    self.channel = channel
    self.downtimeLimit = downtimeLimit
    self.editor = editor
    // Owned by this value, freed in deinit, used by one thread.
    unsafe buffer = .allocate(
      byteCount: MainChannel.inputSize + StreamEditor.longestElement, alignment: 4096)
  }

  deinit { unsafe buffer.deallocate() }

  /// Relays until the source ends the stream.
  mutating func relay(
    handler: inout some StopPointHandler, publish: (ChannelSnapshot) -> Void
  ) throws(ChannelFailure) {
    var writer = GatheredWriter(channel)
    var inFlight = BytesInFlight(channel.source, channel.destination, within: downtimeLimit)
    repeat {
      var failure: ChannelFailure?
      do throws(ChannelFailure) {
        try editAndWrite(&writer, handler: &handler)
      } catch {
        failure = error
      }
      // What became of it depends on what has been dropped.
      snapshot.counters = editor.counters
      snapshot.bypassReason = editor.bypassReason?.description
      snapshot.bytesWritten = writer.bytesWritten
      snapshot.parsingNanoseconds = clock.nanoseconds
      snapshot.wireRate = writer.rate.bytesPerSecond
      snapshot.wireWindows = writer.rate.windows
      inFlight.follow(writer.rate)
      snapshot.inFlight = inFlight.bytes
      publish(snapshot)
      if let failure { throw failure }
      try handler.moved(&editor)
    } while try readMore()
  }

  /// Where the stream was cut off; nil if it ended well.
  func truncation() -> String? { editor.truncation() }

  private mutating func editAndWrite(
    _ writer: inout GatheredWriter, handler: inout some StopPointHandler
  ) throws(ChannelFailure) {
    while start < end {
      clock.start()
      // The bytes between start and end are the ones that were read.
      let input = unsafe UnsafeRawBufferPointer(rebasing: buffer[start..<end])
      let progress: StreamEditor.Progress
      do throws(StreamError) {
        edits.reset()
        progress = try editor.process(unsafe input.bytes, into: &edits)
      } catch {
        throw .closeBoth(error.description)
      }
      clock.stop()
      // Without a return path a source closes as soon as its last byte is taken.
      // So may one whose guest has gone to post-copy, or whose stream is not read to its end.
      writer.closedIsGivenUp =
        editor.counters.returnPathOpened && editor.precedesSwitchover
      try unsafe writer.write(edits, of: input)
      switch progress {
      case .needsInput(let consumed):
        start += consumed
        return
      case .outputFull(let consumed):
        start += consumed
      case .reached(let stop, let consumed):
        start += consumed
        try handler.reached(stop, &editor)
      }
    }
  }

  /// Moves what is left over to the front (less than one record) and reads once after it.
  private mutating func readMore() throws(ChannelFailure) -> Bool {
    if start > 0 {
      // Both ranges lie in the buffer; memmove allows them to overlap.
      unsafe memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
      end -= start
      start = 0
    }
    do throws(SystemError) {
      let limit = unsafe min(end + MainChannel.inputSize, buffer.count)
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[end..<limit])
      let count = try unsafe channel.source.read(into: free)
      end += count
      return count > 0
    } catch {
      throw .source(error)
    }
  }
}
