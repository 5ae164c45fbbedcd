import FoundationEssentials
import Glibc
import HookLink

/// What one migration came to: printed at its end, and written as JSON, with the members in snake_case
/// and seconds as `_s` (a step's as `seconds`).
public struct MigrationSummary: Encodable, Sendable {
  public struct GuestReport: Encodable, Sendable {
    /// From PREPARE sent to the report's end, in seconds.
    public var prepareSeconds: Double
    /// Of 4096 bytes, reported or filled with zeroes.
    public var pagesHeld: UInt64
    /// Of streams that cannot be edited: held pages that the guest has filled with zeroes.
    public var pagesZeroed: UInt64
    /// Leaf pages of all tables that were looked at.
    public var leavesListed: UInt64
    /// Those that were in the cache, which are read back.
    public var leavesInManifest: UInt64
    public var leavesEvicted: UInt64
    /// The guest's own steps, in seconds.
    public var steps: [Step]
    public var notes: [String]

    private enum CodingKeys: String, CodingKey {
      case pagesHeld, pagesZeroed, leavesListed, leavesInManifest, leavesEvicted, steps, notes
      case prepareSeconds = "prepare_s"
    }
  }

  /// Held pages that were to be dropped, in one segment of the guest's memory.
  public struct Segment: Encodable, Sendable {
    /// Guest-physical address of the segment.
    public var start: UInt64
    public var pages: Int
  }

  public struct Step: Encodable, Sendable {
    public var name: String
    public var seconds: Double
  }

  public struct Proxy: Encodable, Sendable {
    public var peakResidentBytes: Int
    public var userSeconds: Double
    public var systemSeconds: Double
    /// CPU time of the main channel's thread inside the editor.
    public var parsingSeconds: Double

    private enum CodingKeys: String, CodingKey {
      case peakResidentBytes
      case userSeconds = "user_s"
      case systemSeconds = "system_s"
      case parsingSeconds = "parsing_s"
    }
  }

  public var result: String
  public var reason: String?
  public var exitCode: Int32
  /// From the source's connection to the end.
  public var totalSeconds: Double
  /// From the source, over all channels.
  public var bytesIn: UInt64
  /// To the destination, over all channels.
  public var bytesOut: UInt64
  /// Pages of the target's size, as often as the source sent them: with their content.
  public var pagesNormal: Int
  /// Sent as zero pages by the source.
  public var pagesZero: Int
  /// Of both kinds, those that were dead when they passed.
  public var deadPagesMet: Int
  /// Of ``pagesNormal``, those that went on as zero pages.
  public var pagesDropped: Int
  /// Where the dead pages were at the end: of segments whose probe has passed.
  public var deadSegments: [Segment]
  /// Of QEMU's dirty log.
  public var rounds: Int
  /// How often the guest's mark page passed.
  public var markCopies: Int
  /// Why nothing was dropped, where that is so.
  public var uneditedReason: String?
  public var wireBytesPerSecond: Double?
  /// What `avail-switchover-bandwidth` was pinned to, in bytes per second.
  public var pinnedBandwidth: UInt64?
  /// What `downtime-limit` was scaled to last where there is nothing to pin (before 8.2), in
  /// milliseconds.
  public var scaledDowntimeLimit: UInt64?
  public var guest: GuestReport?
  public var proxy: Proxy

  public let outcome: MigrationOutcome

  private enum CodingKeys: String, CodingKey {
    case result, reason, exitCode, bytesIn, bytesOut, pagesNormal, pagesZero, deadPagesMet
    case pagesDropped, deadSegments, rounds, markCopies, uneditedReason, pinnedBandwidth, guest,
      proxy
    case totalSeconds = "total_s"
    case wireBytesPerSecond = "wire_bytes_per_s"
    case scaledDowntimeLimit = "scaled_downtime_limit_ms"
  }

  init(_ outcome: MigrationOutcome, _ values: SharedProgress.Values, total: Duration) {
    self.outcome = outcome
    result = outcome.word
    reason = outcome.reason
    exitCode = outcome.exitCode
    totalSeconds = total / .seconds(1)
    let counters = values.total.counters
    bytesIn = counters.bytesIn
    bytesOut = UInt64(values.total.bytesWritten)
    pagesNormal = counters.normalPages
    pagesZero = counters.zeroPages
    deadPagesMet = counters.deadPagesMet
    pagesDropped = counters.droppedPages
    deadSegments = values.deadSegments.map { Segment(start: $0.start, pages: $0.pages) }
    rounds = values.total.rounds
    markCopies = counters.markCopies
    uneditedReason = values.uneditedReason ?? values.total.bypassReason
    wireBytesPerSecond = values.total.wireRate
    pinnedBandwidth = values.pinnedBandwidth
    scaledDowntimeLimit = values.scaledDowntimeLimit
    guest = values.report.map { report in
      GuestReport(
        prepareSeconds: (values.prepareDuration ?? .zero) / .seconds(1),
        // The guest's word; GuestSession has bounded it.
        pagesHeld: report.pagesHeld,
        pagesZeroed: report.pagesZeroed,
        leavesListed: report.leavesListed, leavesInManifest: report.leavesInManifest,
        leavesEvicted: report.leavesEvicted,
        steps: report.steps.map { Step(name: $0.step, seconds: Double($0.nanoseconds) / 1e9) },
        notes: report.notes)
    }
    proxy = Proxy(parsingNanoseconds: values.total.parsingNanoseconds)
  }

  /// Makes the file in which the JSON form will stand, or empties it.
  public static func clear(file path: String) throws(SystemError) {
    // The path is a string for the duration of the call.
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw SystemError("write the summary to \(path)") }
    close(file)
  }

  /// Writes the JSON form.
  public func write(toFile path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try encoder.encode(self).write(to: URL(filePath: path))
  }

  /// The form for people.
  public var text: String {
    var lines = ["migration \(result) after \(totalSeconds.rounded(to: 1)) s"]
    if let reason { lines.append("  reason       \(reason)") }
    let saved = bytesIn > 0 ? 100 - 100 * Double(bytesOut) / Double(bytesIn) : 0
    lines.append(
      "  bytes        \(bytesIn.inMegabytes) MB in, \(bytesOut.inMegabytes) MB out "
        + "(\(saved.rounded(to: 1)) % less)")
    lines.append(
      "  pages        \(pagesNormal) normal, \(pagesZero) zero, \(pagesDropped) dropped "
        + "in \(rounds) rounds")
    if let uneditedReason { lines.append("  unedited     \(uneditedReason)") }
    if let guest {
      lines.append(
        "  guest        \(guest.pagesHeld) pages held, \(guest.leavesInManifest) of "
          + "\(guest.leavesListed) leaf pages in the manifest, \(guest.leavesEvicted) evicted, "
          + "prepared in \(guest.prepareSeconds.rounded(to: 2)) s")
      let steps = guest.steps.map { "\($0.name) \($0.seconds.rounded(to: 2))" }
      if !steps.isEmpty { lines.append("  steps (s)    " + steps.joined(separator: ", ")) }
    }
    lines.append(
      "  proxy        \(UInt64(proxy.peakResidentBytes).inMegabytes) MB resident, "
        + "\(proxy.userSeconds.rounded(to: 2)) s user, \(proxy.systemSeconds.rounded(to: 2)) s system"
    )
    return lines.joined(separator: "\n")
  }
}

extension MigrationSummary.Proxy {
  init(parsingNanoseconds: UInt64) {
    var usage = rusage()
    // Filled in by the call.
    _ = unsafe getrusage(RUSAGE_SELF.rawValue, &usage)
    // Linux gives kilobytes (getrusage(2)).
    peakResidentBytes = usage.ru_maxrss * 1024
    userSeconds = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6
    systemSeconds = Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) / 1e6
    parsingSeconds = Double(parsingNanoseconds) / 1e9
  }
}
