import MigrationLab
import StreamProxy

/// The rows of the matrix: not every combination, but each way with each pair of QEMUs on one
/// memory layout, and each layout with each pair on a few ways.
struct MatrixRows {
  private let releases: [QEMURelease]
  private(set) var rows: [MatrixRow] = []

  /// - Parameter releases: 7.2 and 10.0, if nobody asks for others.
  init(_ releases: [QEMURelease]) {
    self.releases = releases
    for destination in releases.reversed() {
      for source in releases.reversed() {
        addWays(from: source, to: destination)
      }
    }
    for destination in releases.reversed() {
      for source in releases.reversed() {
        addLayouts(from: source, to: destination)
      }
    }
  }

  private mutating func add(_ way: Way, _ setting: MigrationSetting, short: Bool) {
    let row = MatrixRow(setting: setting, way: way, isShort: short)
    rows.append(row)
    if row.needsControl { rows.append(row.control) }
  }

  private mutating func addWays(from source: QEMURelease, to destination: QEMURelease) {
    let setting = MigrationSetting(source: source, destination: destination, layout: .q35)
    for way in MatrixRows.everywhere {
      add(way, setting, short: MatrixRows.short(of: setting).contains(way.name))
    }
    let pair = [source.number, destination.number]
    let refusesMultifdPostcopy = QEMUVersion(major: 8, minor: 0)..<QEMUVersion(major: 10, minor: 1)
    var more: [Way] = []
    if pair.allSatisfy({ $0 < refusesMultifdPostcopy.lowerBound }) { more += MatrixRows.before8 }
    let eleven = QEMUVersion(major: 11, minor: 0)
    if pair.allSatisfy({ $0 < eleven }) { more.append(.zeroBlocks) }
    // 11.1 takes no COLO of an older source, with or without a proxy.
    if source.number >= eleven || destination.number < eleven { more.append(.colo) }
    if !setting.stopsGuests { more += MatrixRows.since9 }
    if pair.contains(where: refusesMultifdPostcopy.contains) {
      more.append(.multifdPostcopyRefused)
    } else if pair.allSatisfy({ $0 >= refusesMultifdPostcopy.upperBound }) {
      more.append(.multifdPostcopy)
    }
    for way in more { add(way, setting, short: MatrixRows.short(of: setting).contains(way.name)) }
  }

  private mutating func addLayouts(from source: QEMURelease, to destination: QEMURelease) {
    for layout in MatrixRows.layouts {
      let setting = MigrationSetting(source: source, destination: destination, layout: layout)
      for way in [Way.plain, .multifd2, .preempt] {
        add(way, setting, short: way.name == Way.plain.name && !setting.stopsGuests)
      }
    }
    let setting = MigrationSetting(source: source, destination: destination)
    guard !setting.stopsGuests else { return }
    for layout in [GuestLayout.q35Large, .i440fxLarge, .microvmLarge] {
      for way in [Way.plain, .multifd4] {
        add(
          way, MigrationSetting(source: source, destination: destination, layout: layout),
          short: false)
      }
    }
  }

  // MARK: What is combined

  private static let everywhere: [Way] = [
    .plain, .withoutReturnPath, .multifd1, .multifd2, .multifd4, .preempt, .postcopy,
    .postcopyUnused, .postcopyAtOnce, .preemptAtOnce, .pausing, .xbzrle, .zlib, .zstd, .tls,
    .tlsMultifd, .tlsPreempt, .autoConverge, .lateBlockActivate, .releaseRAM,
    .validateUUID, .ignoreShared, .dirtyBitmaps, .zeroCopySend, .backgroundSnapshot,
  ]
  /// Capabilities that were taken out later.
  private static let before8: [Way] = [
    .compress, .legacyBlock, .multifdPostcopyUnused,
  ]
  /// Capabilities that are newer, and what needs a guest that runs.
  private static let since9: [Way] = [
    .postcopyAfterRounds, .preemptAfterRounds, .postcopyThrottled, .manyRounds,
    .plainLegacyZeroPages, .legacyZeroPages, .noZeroPages, .switchoverAck, .mappedRAM, .multifd16,
    .plainOldMachine, .multifdOldMachine, .preemptOldMachine,
  ]

  private static let layouts: [GuestLayout] = [
    .low, .i440fx, .numa, .hugetlb, .coldDIMM, .hotDIMM, .hotDIMMi440fx, .virtioMem,
    .microvm,
  ]

  /// The names of the ways that the short form has.
  private static func short(of setting: MigrationSetting) -> [String] {
    let always: [Way] = [.plain, .multifd2, .preempt]
    let more: [Way] =
      setting.stopsGuests
      ? []
      : [
        .withoutReturnPath, .multifd4, .xbzrle, .zlib, .tls, .postcopyAfterRounds,
        .preemptAfterRounds, .legacyZeroPages, .multifdPostcopyRefused, .multifdPostcopy,
        .multifdOldMachine,
      ]
    return (always + more).map(\.name)
  }
}
