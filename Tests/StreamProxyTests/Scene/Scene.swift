import FoundationEssentials
import Glibc
import HookLink
import InMemoryLogging
import Logging
import StreamSamples
import Threads

@testable import StreamProxy

/// A migration through a real proxy, between a source, a destination, a QMP server and a guest that
/// are played by the test, over unix sockets in a folder of their own.
///
/// The guest has 5 GiB, and reports pages ``held``; its mark page is at ``markPage``, and a probe at
/// ``probePage``, which passes before them.
final class Scene: Sendable {
  static let held = 512..<520
  static let markPage = 600
  static let probePage = 509
  static let guestTime: UInt64 = 1_000_000_000_000

  let folder: String
  let qmp: FakeQMP
  let destination: FakeDestination?
  let guest: FakeGuest
  let log = InMemoryLogHandler()
  let options: MigrationProxy.Options

  init(
    destinationListens: Bool = true, fixture: MemoryFixture = .i440fx5G,
    whenAsked: @escaping @Sendable (MigrationID) -> [any Message] = Scene.report,
    set change: (inout MigrationProxy.Options) -> Void = { _ in }
  ) throws {
    // As the program does: splice(2) has no MSG_NOSIGNAL.
    signal(SIGPIPE, SIG_IGN)
    folder =
      FileManager.default.temporaryDirectory
      .appending(path: "leafcutter-\(UUID().uuidString.prefix(8))").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let folder = folder
    func socket(_ name: String) -> SocketAddress { .unix(path: "\(folder)/\(name)") }
    qmp = try FakeQMP(at: socket("qmp"), fixture: fixture)
    guest = try FakeGuest(at: socket("hook"), whenAsked: whenAsked)
    var options = MigrationProxy.Options(
      listen: socket("src"), connect: socket("dst"), qmp: socket("qmp"))
    options.hook = socket("hook")
    // Peers in this process need no longer, and many tests have one that never closes.
    options.closingTime = .seconds(3)
    options.verdictTime = .seconds(1)
    change(&options)
    self.options = options
    destination = try destinationListens ? FakeDestination(at: options.connect) : nil
  }

  deinit {
    qmp.close()
    destination?.close()
    guest.close()
    try? FileManager.default.removeItem(atPath: folder)
  }

  func makeProxy() throws -> MigrationProxy {
    var logger = Logger(label: "test") { [log] _ in log }
    logger.logLevel = .trace
    return try MigrationProxy(options, logger: logger)
  }

  /// Runs the proxy and, on a thread of its own, what the others do.
  func play(
    _ script: @escaping @Sendable (Scene) throws -> Void
  ) async throws -> MigrationSummary {
    let proxy = try makeProxy()
    async let summary = proxy.run()
    let failure: (any Error)? = await withCheckedContinuation { continuation in
      _ = BlockingThread("script") {
        do {
          try script(self)
          continuation.resume(returning: nil)
        } catch {
          continuation.resume(returning: error)
        }
      }
    }
    if failure != nil { proxy.interrupt() }
    let result = await summary
    if let failure { throw failure }
    return result
  }

  func connect() throws -> Socket { try Socket.connect(to: options.listen) }

  /// A source has connected and sent what comes before the pages, and the guest has been asked.
  func begin() throws -> (source: Socket, sent: StreamBuilder, migration: MigrationID) {
    let source = try connect()
    let sent = Scene.beginning()
    try source.write(sent.sample.bytes)
    return (source, sent, guest.awaitPrepare() ?? .none)
  }

  // MARK: What the guest says

  static func mark() -> GuestMessage.Mark {
    .init(
      guestPhysicalAddress: UInt64(markPage * 4096), time: guestTime, guardianVersion: "test")
  }

  static func held(_ pages: Range<Int> = held, from first: Int = 512) -> HeldPages {
    var bitmap = [UInt8](repeating: 0, count: 64)
    for page in pages { bitmap[(page - first) / 8] |= 1 << UInt8((page - first) % 8) }
    return HeldPages(firstPage: UInt64(first), bitmap: bitmap)
  }

  static func end(
    _ pages: Int = held.count, zeroed: UInt64 = 0, probes: [Int] = [probePage]
  ) -> GuestMessage.ReportEnd {
    .init(
      pages: UInt64(pages), pagesZeroed: zeroed, probes: probes.map { UInt64($0) * 4096 },
      leavesListed: 20, leavesInManifest: 10, leavesEvicted: 10, steps: [],
      notes: [])
  }

  @Sendable static func report(_: MigrationID) -> [any Message] { [mark(), held(), end()] }

  /// A copy of the mark page.
  static func copy(
    of migration: MigrationID, state: MarkPage.State = .holding, age: UInt64 = 0
  ) -> [UInt8] {
    var writer = PayloadWriter()
    writer.put(state.rawValue)
    writer.put(UInt64(1))
    writer.put(guestTime - age)
    let front = MarkPage.identification(for: migration) + writer.bytes
    return front + [UInt8](repeating: 0, count: 4096 - front.count)
  }

  /// A copy of the probe page.
  static func probe(of migration: MigrationID, at page: Int = probePage) -> [UInt8] {
    ProbePage.content(for: migration, at: UInt64(page * 4096))
  }

  // MARK: The stream

  /// From the magic to the end of RAM's START section.
  static func beginning(returnPath: Bool = true, block: String = "pc.ram") -> StreamBuilder {
    var build = StreamBuilder("scene", pageBits: 12)
    build.magic()
    build.configuration()
    if returnPath { build.command(1) }
    build.startRAM([.init(block, pages: 5 << 18)])
    build.endOfSection()
    return build
  }

  static var oracleMark: SampleStream.Place { .init(0, markPage) }
}

extension StreamBuilder {
  /// The first round: the probe page, held pages, others, and the mark page.
  mutating func scenePages(mark: [UInt8]?, probe: [UInt8]?) {
    reopen(2, id: 2)
    if let probe { page(0, Scene.probePage, content: probe) }
    for page in 510..<522 { page == 511 ? zero(0, page) : self.page(0, page) }
    if let mark { page(0, Scene.markPage, content: mark) }
    endOfSection()
  }

  /// RAM's END, in which two pages and the mark page come once more, and the device states.
  mutating func sceneEnd(mark: [UInt8]?) {
    reopen(3, id: 2)
    page(0, 513)
    page(0, 530)
    if let mark { page(0, Scene.markPage, content: mark) }
    endOfSection()
    tail()
  }
}

extension InMemoryLogHandler {
  /// How many of the messages so far have that in them.
  func count(of text: String) -> Int { entries.count { "\($0.message)".contains(text) } }

  func contains(_ text: String) -> Bool { count(of: text) > 0 }
}
