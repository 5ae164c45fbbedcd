import FoundationEssentials

/// `leafcutter proxy` on the source host, for one migration.
public final class ProxyProcess: Sendable {
  /// Where the source's `migrate` has to go.
  public let address: String
  private let process: ChildProcess
  private let summaryPath: String

  /// What of the proxy's summary (`--summary-json`) the laboratory needs.
  public struct Summary: Decodable, Sendable {
    public struct Guest: Decodable, Sendable {
      public var prepareSeconds: Double
      public var leavesInManifest: UInt64
      public var leavesEvicted: UInt64
      public var pagesHeld: UInt64
      public var steps: [Step]
      public var notes: [String]

      private enum CodingKeys: String, CodingKey {
        case steps, notes
        case prepareSeconds = "prepare_s"
        case leavesInManifest = "leaves_in_manifest"
        case leavesEvicted = "leaves_evicted"
        case pagesHeld = "pages_held"
      }
    }

    public struct Step: Decodable, Sendable {
      public var name: String
      public var seconds: Double
    }

    /// Held pages that were to be dropped, in the segment of guest memory that begins there.
    public struct Segment: Decodable, Sendable {
      public var start: UInt64
      public var pages: Int
    }

    public struct Usage: Decodable, Sendable {
      public var peakResidentBytes: UInt64
      public var userSeconds: Double
      public var systemSeconds: Double
      public var parsingSeconds: Double

      private enum CodingKeys: String, CodingKey {
        case peakResidentBytes = "peak_resident_bytes"
        case userSeconds = "user_s"
        case systemSeconds = "system_s"
        case parsingSeconds = "parsing_s"
      }
    }

    public var result: String
    public var reason: String?
    public var exitCode: Int32
    public var bytesIn: UInt64
    public var bytesOut: UInt64
    public var pagesNormal: Int
    public var pagesDropped: Int
    public var deadSegments: [Segment]
    public var uneditedReason: String?
    public var guest: Guest?
    public var proxy: Usage

    /// Why so much or so little was dropped, on one line.
    public var account: String {
      let reasons = ([uneditedReason] + (guest?.notes ?? [])).compactMap(\.self)
      let held = guest.map {
        "\($0.pagesHeld) pages held, \($0.leavesEvicted) of \($0.leavesInManifest) leaves evicted"
      }
      return ([held ?? "no report"] + reasons).joined(separator: "; ")
    }

    private enum CodingKeys: String, CodingKey {
      case result, reason, guest, proxy
      case exitCode = "exit_code"
      case bytesIn = "bytes_in"
      case bytesOut = "bytes_out"
      case pagesNormal = "pages_normal"
      case pagesDropped = "pages_dropped"
      case deadSegments = "dead_segments"
      case uneditedReason = "unedited_reason"
    }
  }

  /// Starts the proxy and waits until it listens.
  ///
  /// - Parameters:
  ///   - program: the program `leafcutter`.
  ///   - edits: false lets the stream pass untouched and asks nothing of the guest.
  ///   - host: the network namespace of the source, or nil for the network of this process.
  ///   - listen: where the source connects to.
  ///   - hook: the path of a ``HookRelay``, or nil for the guest's own port.
  public init(
    program: String, source: VirtualMachine, destination: String, edits: Bool, host: String?,
    listen: String = "tcp:127.0.0.1:4444", hook: String? = nil, files: LabFiles
  ) throws(LabError) {
    address = listen
    summaryPath = "\(files.logs)/\(source.name)-proxy.json"
    var arguments = [
      program, "proxy", "--listen", address, "--connect", destination,
      "--qmp", "unix:\(source.socketPath(.proxyQMP))",
      "--hook", "unix:\(hook ?? source.socketPath(.hook))",
      "--summary-json", summaryPath,
    ]
    if !edits { arguments.append("--no-edit") }
    if let host { arguments = TwoHosts.inside(host, arguments) }
    let log = "\(files.logs)/\(source.name)-proxy.log"
    let process = try ChildProcess("leafcutter proxy", arguments, log: log)
    self.process = process
    let listens: Bool? = try HostClock.poll(every: 0.02, for: 30) { () throws(LabError) in
      if let ending = process.endingIfAny { throw process.error("the proxy \(ending)") }
      return ProxyProcess.log(log, says: "waiting for the source") ? true : nil
    }
    guard listens == true else { throw process.error("the proxy does not listen") }
  }

  public var pid: Int32 { process.pid }

  /// Whether the guest has reported what it holds, so that pages are being dropped.
  public var hasReport: Bool { ProxyProcess.log(process.log, says: "the guest holds") }

  private static func log(_ path: String, says text: String) -> Bool {
    let data = FileManager.default.contents(atPath: path) ?? Data()
    return String(decoding: data, as: UTF8.self).contains(text)
  }

  /// Waits for the proxy's end, which follows the migration's, and reads its summary.
  public func finish(timeout: Double = 30) throws(LabError) -> Summary {
    guard let ending = process.wait(for: timeout) else {
      throw process.error("the proxy did not end within \(Int(timeout)) s after the migration")
    }
    guard let data = FileManager.default.contents(atPath: summaryPath) else {
      throw process.error("the proxy \(ending) and left no summary")
    }
    do {
      let decoder = JSONDecoder()
      return try decoder.decode(Summary.self, from: data)
    } catch {
      throw process.error("the proxy's summary cannot be read: \(error)")
    }
  }

  /// What the proxy logged last, for an error.
  public var logs: [String] { process.logs }

  public func kill() { process.kill() }

  /// SIGSTOP, or SIGCONT.
  public func setStopped(_ stopped: Bool) { process.setStopped(stopped) }
}
