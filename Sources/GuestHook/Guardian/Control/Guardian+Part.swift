import Glibc
import HookLink

/// A part of the hold is given back where memory is tight: the guest keeps what it can.
///
/// The order is that of the whole: REVOKE names the frames, the proxy clears them and acknowledges, and only
/// then are they let go. Without an acknowledgement nothing less than RELEASED will do, and then all goes.
extension Guardian {
  /// Takes back a quarter of what was held at first, of the database that holds most; or the rest, where
  /// that is no more.
  func givePartBack(_ migration: Migration, because reason: String) {
    guard migration.holdsFrames, migration.revoking == nil else { return }
    let holding = migration.databases.filter { $0.ring != nil && $0.stage == .prepared }
    guard let database = holding.max(by: { bytes(of: $0.pieces) < bytes(of: $1.pieces) }),
      let part = choosePart(of: database, migration),
      part.pieces.count < database.pieces.count || holding.count > 1
    else { return giveFramesBack(migration, because: reason) }
    logger.warning("giving \(bytes(of: part.pieces) >> 20) MiB of the hold back: \(reason)")
    if migration.request.zeroHeldFrames {
      letGo(part.revocation, migration)
      return
    }
    let sequence = migration.nextSequence()
    migration.revoking = Revocation(
      sequence: sequence, since: monotonicNanoseconds(), part: part.revocation)
    port.send(GuestMessage.Revoke(sequence: sequence, ranges: part.ranges), for: migration.id)
  }

  /// The proxy has forgotten the frames of these pieces, or never knew them.
  func letGo(_ part: Revocation.Part, _ migration: Migration) {
    let database = part.database
    nextPressureCheck = monotonicNanoseconds() + HoldLimits.pressureAfterPart
    if let gone = migration.databases.first(where: { $0.stage == .gone && $0.ring != nil }) {
      // Meanwhile, when nothing else could be revoked.
      return giveFramesBack(migration, because: "database \(gone.home) is gone")
    }
    database.pieces.removeAll { part.pieces.contains($0) }
    if migration.request.zeroHeldFrames {
      migration.pagesZeroed -= min(part.pages, migration.pagesZeroed)
    } else {
      migration.pagesReported -= min(part.pages, migration.pagesReported)
    }
    database.connection.send(
      LocalMessage.ReleasePieces(addresses: part.pieces.map(\.address)), for: migration.id)
  }

  private struct ChosenPart {
    var pieces: [LocalMessage.AddressRange]
    var ranges: [PageRange] = []
    var pages: UInt64 = 0
    var revocation: Revocation.Part
  }

  /// The last pieces of a database, at least one and as many as one message can name the frames of. nil
  /// where there are none, or none of which every frame can be named: what is let go must be named.
  private func choosePart(of database: Database, _ migration: Migration) -> ChosenPart? {
    let enough = migration.bytesHeld / HoldLimits.part
    var pieces: [LocalMessage.AddressRange] = []
    var frames = FrameSet()
    var ranges: [PageRange] = []
    guard let memory = database.memory else { return nil }
    do throws(SystemError) {
      var reader = PagemapReader(memory)
      // Pinned pages stay in the frames that were reported.
      var candidates = ProbeCandidates([MemorySegment(start: 0, length: 1 << 56)])
      for piece in database.pieces.reversed() where bytes(of: pieces) < enough || pieces.isEmpty {
        let refused = reader.refused
        try reader.read(piece, of: 0, into: &frames, &candidates)
        let more = frames.ranges()
        guard more.count <= GuestMessage.Revoke.maximumRanges else { break }
        // Those of its pages that can be named are taken back as well, which harms nobody.
        guard reader.refused == refused else { continue }
        ranges = more
        pieces.append(piece)
      }
    } catch {
      logger.warning("database \(database.home): \(error)")
      return nil
    }
    guard !pieces.isEmpty else { return nil }
    let pages = ranges.reduce(0) { $0 + $1.count }
    return ChosenPart(
      pieces: pieces, ranges: ranges, pages: pages,
      revocation: Revocation.Part(database: database, pieces: pieces, pages: pages))
  }

  private func bytes(of pieces: [LocalMessage.AddressRange]) -> UInt64 {
    pieces.reduce(0) { $0 + $1.length }
  }
}
