/// The ways in which a guest is migrated. The raw values are the names in the raw data and on the
/// command line.
package enum Method: String, CaseIterable, Codable, Sendable {
  case precopy = "pre-copy"
  /// Switched to when all of the memory has been sent once.
  case postcopy = "post-copy"
  /// Switched to when pages have been sent for a second.
  case postcopyEarly = "post-copy-early"
  /// Pre-copy that slows a guest down which writes faster than is sent.
  case autoConverge = "auto-converge"
  case xbzrle
  case multifd = "multifd-4"
  case freePageHint = "free-page-hint"
  case freePageReporting = "free-page-reporting"
  /// The operator has the guest drop its page cache and inflates the balloon.
  case balloon = "drop-caches-balloon"
  /// Before that the operator makes the database's cache small.
  case shrunkCache = "shrink-cache-balloon"
  case leafcutter = "leafcutter"
  case leafcutterPostcopy = "leafcutter-post-copy"
  case leafcutterMultifd = "leafcutter-multifd-4"
  /// Where the stream cannot be edited, here with XBZRLE, the guest fills what it holds with zeroes.
  case leafcutterZeroing = "leafcutter-zeroing"
  /// Leafcutter's pre-copy in a guest that does not read its cache back.
  case leafcutterNoRefault = "leafcutter-no-refault"
  /// Pre-copy of the same guest whose cache was never filled.
  case ideal

  package var title: String {
    switch self {
    case .precopy: "pre-copy"
    case .postcopy: "post-copy"
    case .postcopyEarly: "post-copy after 1 s"
    case .autoConverge: "pre-copy, auto-converge"
    case .xbzrle: "pre-copy, XBZRLE"
    case .multifd: "multifd, 4 channels"
    case .freePageHint: "free-page-hint"
    case .freePageReporting: "free-page-reporting"
    case .balloon: "drop caches, balloon"
    case .shrunkCache: "shrink cache, drop caches, balloon"
    case .leafcutter: "Leafcutter"
    case .leafcutterPostcopy: "Leafcutter, post-copy after 1 s"
    case .leafcutterMultifd: "Leafcutter, multifd 4"
    case .leafcutterZeroing: "Leafcutter, zeroing"
    case .leafcutterNoRefault: "Leafcutter, no refault"
    case .ideal: "ideal: cache never filled"
    }
  }

  package var usesLeafcutter: Bool {
    switch self {
    case .leafcutter, .leafcutterPostcopy, .leafcutterMultifd, .leafcutterZeroing,
      .leafcutterNoRefault:
      true
    default: false
    }
  }

  package var usesBalloon: Bool { self == .balloon || self == .shrunkCache }

  /// What an operator could use instead of Leafcutter, the ideal not being one of them.
  package var isRival: Bool { !usesLeafcutter && self != .ideal }
}
