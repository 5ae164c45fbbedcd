import EvaluationReport
import Lab
import StreamProxy

/// What each method sets in both QEMUs, after QEMU's own documentation.
extension Method {
  private struct Parameters: Encodable {
    var multifdChannels: Int?
    var xbzrleCacheSize: Int?

    enum CodingKeys: String, CodingKey {
      case multifdChannels = "multifd-channels"
      case xbzrleCacheSize = "xbzrle-cache-size"
    }
  }

  private var capabilities: [String] {
    switch self {
    // Preempt lets a page that the guest waits for overtake the others.
    case .postcopy, .postcopyEarly, .leafcutterPostcopy: ["postcopy-ram", "postcopy-preempt"]
    case .autoConverge: ["auto-converge"]
    case .xbzrle, .leafcutterZeroing: ["xbzrle"]
    case .multifd, .leafcutterMultifd: ["multifd"]
    default: []
    }
  }

  /// When a migration is switched to post-copy.
  enum PostcopySwitch {
    /// All of the memory has been sent once: from there on QEMU's wiki recommends it.
    case afterOnePass
    /// Pages have been sent for a second: nothing is gained by waiting for a whole pass of a guest that
    /// hardly writes, and Leafcutter learns in this time where the held frames are.
    case afterOneSecond

    /// - Parameters:
    ///   - dirtySyncs: how often the dirty log has been read; with QEMU 10.0 all pages have been sent once when it
    ///     is read for the second time (with 11.1 they have not).
    ///   - secondsOfPages: for how long pages have been sent; nil before the first.
    func isDue(dirtySyncs: UInt64, secondsOfPages: Double?) -> Bool {
      switch self {
      case .afterOnePass: dirtySyncs >= 2
      case .afterOneSecond: (secondsOfPages ?? 0) > 1
      }
    }
  }

  var postcopySwitch: PostcopySwitch? {
    switch self {
    case .postcopy: .afterOnePass
    case .postcopyEarly, .leafcutterPostcopy: .afterOneSecond
    default: nil
    }
  }

  /// What of the cache is left for the migration, in MiB; nil where that is all of it.
  var smallCache: Int? { usesLeafcutter || self == .shrunkCache ? Bench.smallCache : nil }

  /// - Parameter memory: of the guest in MiB.
  func configure(_ machines: [VirtualMachine], memory: Int) throws(LabError) {
    let parameters: Parameters? =
      switch self {
      case .multifd, .leafcutterMultifd: Parameters(multifdChannels: 4)
      // As large as can be (docs/devel/migration: "the larger the cache, the better"), as a power of two.
      case .xbzrle, .leafcutterZeroing:
        Parameters(xbzrleCacheSize: 1 << (Int.bitWidth - 1 - (memory << 20).leadingZeroBitCount))
      default: nil
      }
    for machine in machines {
      try machine.onQMP { qmp in
        for name in capabilities { try qmp.setMigrateCapabilities([name: true]) }
        if let parameters {
          try qmp.execute("migrate-set-parameters", arguments: parameters)
        }
      }
    }
  }
}
