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
    case .postcopy, .leafcutterPostcopy: ["postcopy-ram", "postcopy-preempt"]
    case .xbzrle, .leafcutterZeroing: ["xbzrle"]
    case .multifd, .leafcutterMultifd: ["multifd"]
    default: []
    }
  }

  var isPostcopy: Bool { self == .postcopy || self == .leafcutterPostcopy }

  /// - Parameter memory: of the guest in MiB.
  func configure(_ machines: [VirtualMachine], memory: Int) throws(LabError) {
    let parameters: Parameters? =
      switch self {
      case .multifd, .leafcutterMultifd: Parameters(multifdChannels: 4)
      // As large as can be (docs/devel/migration: "the larger the cache, the better"), as a power of two.
      case .xbzrle, .leafcutterZeroing:
        Parameters(xbzrleCacheSize: memory << 20)
      default: nil
      }
    for machine in machines {
      try onQMP(of: machine) { qmp in
        for name in capabilities { try qmp.setMigrateCapabilities([name: true]) }
        if let parameters {
          try qmp.execute("migrate-set-parameters", arguments: parameters)
        }
      }
    }
  }
}
