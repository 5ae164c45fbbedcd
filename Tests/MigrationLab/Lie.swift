import HookLink

/// What a guest may say that is not so, or not say. It has made its probes and its mark page all the same,
/// so what it reports is believed as far as anything is.
public enum Lie: CaseIterable, Sendable {
  /// All memory from 2 MiB on is held, its own program's, the probes and the mark page too.
  case everyPage
  /// Held is what lies in no memory: below 1 MiB, before the devices, after the end.
  case foreignPages
  /// Report and revocations come page by page, a million of the latter.
  case tinyRanges
  /// All of it is taken back and reported again, and the mark page is elsewhere.
  case changesItsMind
  /// In each step of the report nothing more is said.
  case silentBeforeMark, silentBeforeReport, silentInReport, silentAfterReport
  /// Bytes that are no message, and then half of one.
  case noise
  /// A message whose length says 4 GiB.
  case hugeMessage

  private static let bitsInAPiece: UInt64 = 512
  private static let pageSize: UInt64 = 4096
  private static let largestBitmap = 128 * 1024

  /// What comes before the true report, or in its place.
  ///
  /// - Returns: how many pages were reported in its place, or nil where it follows.
  func tellBefore(
    _ pieces: [HeldPages], of migration: MigrationID, layout: GuestLayout, _ send: ([UInt8]) -> Void
  ) -> Int? {
    var count = 0
    func report(_ first: UInt64, bytes: Int, _ byte: UInt8 = 0xff) {
      let held = HeldPages(firstPage: first, bitmap: [UInt8](repeating: byte, count: bytes))
      count += held.count
      send(held.frame(for: migration))
    }
    switch self {
    case .everyPage:
      for segment in layout.segments {
        let first = max(segment.start / Lie.pageSize, Lie.bitsInAPiece)
        let last = (segment.start + UInt64(segment.length)) / Lie.pageSize
        report(first, bytes: min(Int(last - first) / 512 * 64, Lie.largestBitmap))
      }
      return count
    case .foreignPages:
      report(0, bytes: 64, 0x0f)
      report(0xf0000, bytes: 8192)
      for exponent in 30..<52 { report(1 << exponent, bytes: 4096) }
    case .tinyRanges:
      for piece in pieces {
        for (index, byte) in piece.bitmap.enumerated() where byte != 0 {
          for bit in 0..<8 where byte & (1 << bit) != 0 {
            var bitmap = [UInt8](repeating: 0, count: 64)
            bitmap[index % 64] = 1 << bit
            let first = piece.firstPage + UInt64(index / 64) * Lie.bitsInAPiece
            send(HeldPages(firstPage: first, bitmap: bitmap).frame(for: migration))
            count += 1
          }
        }
      }
      return count
    case .silentInReport:
      if let first = pieces.first?.frame(for: migration) {
        send(Array(first[..<(first.count / 2)]))
      }
    default: break
    }
    return nil
  }

  /// What comes after it.
  func tellAfter(of migration: MigrationID, content: GuestContent, _ send: ([UInt8]) -> Void) {
    switch self {
    case .tinyRanges:
      let count = GuestMessage.Revoke.maximumRanges
      for message in 0..<128 as Range<UInt64> {
        let ranges = (0..<UInt64(count)).map {
          PageRange(first: (1 << 40) + (message * UInt64(count) + $0) * 2, count: 1)
        }
        send(GuestMessage.Revoke(sequence: message + 1, ranges: ranges).frame(for: migration))
      }
    case .changesItsMind:
      send(GuestMessage.Revoke(sequence: 1, ranges: nil).frame(for: migration))
      for piece in content.heldPieces() { send(piece.frame(for: migration)) }
      let end = GuestMessage.ReportEnd(
        pages: 1, pagesZeroed: 0, probes: content.probes.flatMap { $0 }, leavesListed: 0,
        leavesInManifest: 0, leavesEvicted: 0, steps: [], notes: [])
      send(end.frame(for: migration))
      let mark = GuestMessage.Mark(
        guestPhysicalAddress: 1 << 21, time: 1, guardianVersion: "another")
      send(mark.frame(for: migration))
    case .noise:
      var state: UInt64 = 1
      let bytes = (0..<(1 << 20)).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
      }
      send(bytes)
      send(Array(Frame.marker))
    case .hugeMessage:
      var frame = GuestMessage.Heartbeat(sequence: 1, time: 1).frame(for: migration)
      for index in 12..<16 { frame[index] = 0xff }
      for _ in 0..<4096 { send(frame) }
    default: break
    }
  }
}
