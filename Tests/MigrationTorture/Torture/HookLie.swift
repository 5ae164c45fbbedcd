import HookLink
import Lab

/// What is said in the guest's name on the hook link that the guest does not say, or kept from it.
///
/// Whoever says that pages are held which are not harms itself, and nobody can know; so these are lies that
/// can be known for what they are. Whatever a proxy makes of one, the guest lives on, whole, at one end.
enum HookLie: CaseIterable, Sendable {
  /// Bytes that are no message, to the proxy, or to the guardian.
  case noise, noiseToTheGuest
  /// A message that does not end, and one whose length says 4 GiB.
  case halfAMessage, hugeMessage
  /// All that was said so far, once more.
  case replay
  /// A part of what is said next is lost.
  case loss
  /// Pages that are in no memory, and the first 2 MiB, where no database's cache lies.
  case foreignPages, morePages
  /// A million ranges are taken back, or all of memory many times over.
  case tinyRanges, everythingManyTimes
  /// It is over, and frames have been let go.
  case over
  /// Heartbeats of times to come.
  case futureHeartbeats

  func tell(_ relay: HookRelay, _ random: inout Random) {
    let said = relay.saidByTheGuest
    let migration = HookLie.lastMigration(in: said) ?? .random()
    func say(_ message: some Message) { relay.say(message.frame(for: migration), to: .proxy) }
    switch self {
    case .noise: relay.say(HookLie.noise(&random), to: .proxy)
    case .noiseToTheGuest: relay.say(HookLie.noise(&random), to: .guest)
    case .halfAMessage:
      let frame = HeldPages(firstPage: 512, bitmap: [UInt8](repeating: 0xff, count: 4096))
        .frame(for: migration)
      relay.say(Array(frame[..<random.below(frame.count)]), to: .proxy)
    case .hugeMessage:
      var frame = GuestMessage.Heartbeat(sequence: 1, time: 1).frame(for: migration)
      for index in 12..<16 { frame[index] = 0xff }
      relay.say(frame, to: .proxy)
    case .replay: relay.say(said, to: .proxy)
    case .loss: relay.loseFromTheGuest(random.below(100_000) + 1)
    case .foreignPages:
      say(HeldPages(firstPage: 1 << 40, bitmap: [UInt8](repeating: 0xff, count: 4096)))
    case .morePages:
      // Below 1 MiB nothing is ever held, so the whole report is refused, or the guest has broken its word.
      say(HeldPages(firstPage: 0, bitmap: [UInt8](repeating: 0xff, count: 64)))
    case .tinyRanges:
      let count = UInt64(GuestMessage.Revoke.maximumRanges)
      for message in 0..<122 as Range<UInt64> {
        let ranges = (0..<count).map { PageRange(first: (message * count + $0) * 2, count: 1) }
        say(GuestMessage.Revoke(sequence: 1 << 40 | message, ranges: ranges))
      }
    case .everythingManyTimes:
      let all = [PageRange](
        repeating: PageRange(first: 0, count: 1 << 30), count: GuestMessage.Revoke.maximumRanges)
      for message in 0..<20 as Range<UInt64> {
        say(GuestMessage.Revoke(sequence: 1 << 40 | message, ranges: all))
      }
    case .over:
      say(
        GuestMessage.Resumed(
          atDestination: false, leavesInManifest: 0, leavesRefaulted: 0, leavesResident: 0,
          steps: []))
    case .futureHeartbeats:
      for second in 0..<100 as Range<UInt64> {
        say(
          GuestMessage.Heartbeat(
            sequence: 1 << 40 | second, time: .max / 2 + second * 1_000_000_000))
      }
    }
  }

  private static func noise(_ random: inout Random) -> [UInt8] {
    let count = random.below(256 * 1024) + 1
    // And what a message begins with.
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) } + Frame.marker
  }

  /// Which migration the guest speaks of.
  private static func lastMigration(in said: [UInt8]) -> MigrationID? {
    var decoder = FrameDecoder()
    decoder.append(said)
    var last: MigrationID?
    while let frame = try? decoder.next() { if frame.migration != .none { last = frame.migration } }
    return last
  }
}
