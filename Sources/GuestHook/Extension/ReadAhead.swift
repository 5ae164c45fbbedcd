import Glibc
import LeafManifest

/// Tells the kernel which blocks of a database's files are read next.
///
/// The engine reads leaf by leaf, and the kernel's own reading ahead stops at 128 KiB and at every gap. The
/// manifest knows better: whole batches of leaves are asked for some batches before their turn, neighbours in
/// one piece, so that the disk always has large reads to do. It is asked for no faster than leaves are read.
struct ReadAhead: Sendable {
  typealias Batch = [LeafManifest.Table].Batch

  /// How many batches before their turn: with 16 leaves each some MiB, so that a read of the database's own
  /// does not wait for long behind them.
  static let distance = 3
  /// In bytes. The kernel takes no more of one request than its disk's largest one (`force_page_cache_ra`), and
  /// that of a virtio disk is 126 pages where they do not lie side by side.
  static let largestPiece: UInt64 = 448 << 10
  /// What separates leaves that are asked for together, in bytes: reading it costs less than another read.
  static let largestGap: UInt64 = 64 << 10

  private let home: String
  private let tables: [LeafManifest.Table]
  private let batches: [Batch]

  init(home: String, tables: [LeafManifest.Table], batches: [Batch]) {
    self.home = home
    self.tables = tables
    self.batches = batches
  }

  /// To be called when a batch's turn has come: asks for the one that is ``distance`` after it, and with the
  /// first one for all between.
  func turnHasCome(of index: Int) {
    let wanted =
      index == 0 ? 0...ReadAhead.distance : index + ReadAhead.distance...index + ReadAhead.distance
    for index in wanted where index < batches.count { ask(batches[index]) }
  }

  private func ask(_ batch: Batch) {
    let table = tables[batch.table]
    // The path is zero-terminated for the time of the call.
    let file = unsafe open(TableCatalog.path(of: table.uri, in: home), O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    defer { close(file) }
    for piece in ReadAhead.pieces(table.leaves, batch.leaves) {
      guard let start = off_t(exactly: piece.lowerBound), let length = off_t(exactly: piece.count)
      else { continue }
      posix_fadvise(file, start, length, POSIX_FADV_WILLNEED)
    }
  }

  /// Where the leaves lie in their file, neighbours together; they are in the order of the file.
  static func pieces(_ leaves: LeafList, _ range: Range<Int>) -> [Range<UInt64>] {
    var pieces: [Range<UInt64>] = []
    for leaf in range {
      let start = leaves.offsets[leaf]
      let (end, overflows) = start.addingReportingOverflow(UInt64(leaves.sizes[leaf]))
      guard !overflows else { continue }
      if let last = pieces.last, start >= last.upperBound,
        start - last.upperBound <= largestGap, end - last.lowerBound <= largestPiece
      {
        pieces[pieces.count - 1] = last.lowerBound..<end
      } else {
        pieces.append(start..<end)
      }
    }
    return pieces
  }
}
