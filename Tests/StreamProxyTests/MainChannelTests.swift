import Glibc
import Logging
import PageFilter
import StreamSamples
import Testing
import Threads

@testable import StreamProxy

/// The main channel between two sockets.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MainChannelTests {
  /// Refuses to pass on what the editor does not read, as the judge does where another channel has dropped pages.
  private struct Refusal: StopPointHandler {
    var stops: [StreamEditor.StopPoint] = []

    mutating func reached(
      _ stop: StreamEditor.StopPoint, _ editor: inout StreamEditor
    ) throws(ChannelFailure) {
      stops.append(stop)
      if stop == .bypass { throw .closeBoth("\(editor.bypassReason?.description ?? "")") }
    }
    mutating func moved(_ editor: inout StreamEditor) {}
  }

  /// With multifd the pages are dropped elsewhere. The end of RAM and the device states stand behind the unknown
  /// element in one piece, and the guest would run.
  @Test func nothingBehindWhatIsNotReadIsWrittenBeforeSomebodyHasDecided() throws {
    var build = Scene.beginning()
    let known = build.offset
    build.put(0x55 as UInt8)
    build.reopen(3, id: 2)
    build.endOfSection()
    build.tail()
    let bytes = build.sample.bytes
    let (qemu, source) = try pair()
    let (destination, target) = try pair()
    try qemu.writeAll(bytes)
    qemu.shutDownWriting()
    var handler = Refusal()
    var relay = MainChannel(
      Channel(
        id: 0, role: .main, source: source, destination: destination,
        outgoing: OutgoingWait(source: source) { _ in false },
        shortage: Shortage(logger: Logger(label: "test"))),
      editor: StreamEditor(), within: DowntimeLimit())
    var failure = ""
    do throws(ChannelFailure) {
      try relay.relay(handler: &handler) { _ in }
    } catch {
      failure = "\(error)"
    }
    #expect(failure.contains("0x55"))
    destination.shutDownWriting()
    #expect(handler.stops.last == .bypass)
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = try target.read(into: &buffer, from: 0)
      guard count > 0 else { break }
      received += buffer[..<count]
    }
    #expect(received == Array(bytes[..<known]))
  }

  private func pair() throws -> (Socket, Socket) {
    var pair: [Int32] = [0, 0]
    // Two descriptors are written into the array.
    try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    return (Socket(owning: pair[0]), Socket(owning: pair[1]))
  }
}
