import Glibc
import LeafManifest
import Synchronization

/// Every leaf of the last checkpoint's trees, read from the files of the database itself: internal
/// pages hold their children's addresses and separator keys, and are few.
struct LeafListing: Sendable {
  /// In key order.
  var tables: [LeafManifest.Table] = []
  /// Subtrees whose blocks a later checkpoint has taken over meanwhile: listing again may help.
  var stale = 0
  /// Leaves and subtrees of a kind that is not listed.
  var unsupported = 0

  var count: Int { tables.reduce(0) { $0 + $1.leaves.count } }

  /// - Parameters:
  ///   - home: the database's directory.
  ///   - threads: how many read and parse; a subtree below a root is one piece of work.
  init(home: String, catalog: TableCatalog, threads: Int) {
    var pieces: [Piece] = []
    for table in catalog.tables {
      let number = tables.count
      tables.append(.init(uri: table.uri, creation: table.creation, leaves: LeafList()))
      guard let root = table.root else { continue }
      guard let file = TableFile(home: home, table: table) else {
        unsupported += 1
        continue
      }
      do throws(InternalPage.Problem) {
        let page = try file.page(root)
        unsupported += try page.forEachChild(allocationSize: file.allocationSize) {
          (child) throws(InternalPage.Problem) in
          let key = child.key.map { Array(page.bytes($0)) } ?? []
          pieces.append(Piece(table: number, file: file, child: child, key: key))
        }
      } catch {
        note(error)
      }
    }
    for (piece, subtree) in zip(pieces, LeafListing.walk(pieces, threads: threads)) {
      tables[piece.table].leaves.append(contentsOf: subtree.leaves)
      stale += subtree.stale
      unsupported += subtree.unsupported
    }
  }

  private mutating func note(_ problem: InternalPage.Problem) {
    switch problem {
    case .stale: stale += 1
    case .unsupported: unsupported += 1
    }
  }

  private static func walk(_ pieces: [Piece], threads: Int) -> [Subtree] {
    let results = Locked([Subtree](repeating: Subtree(), count: pieces.count))
    let next = Counter()
    let crew = Crew("leafcutter-list", count: min(threads, pieces.count)) { _ in
      while case let index = next.take(1), index < pieces.count {
        var subtree = Subtree()
        subtree.add(pieces[index].child, key: pieces[index].key[...], of: pieces[index].file)
        let finished = subtree
        results.use { $0[index] = finished }
      }
    }
    crew.join()
    return results.use { $0 }
  }

  private struct Piece: Sendable {
    var table: Int
    var file: TableFile
    var child: InternalPage.Child
    var key: [UInt8]
  }
}

/// Leaves below one page.
private struct Subtree: Sendable {
  /// WiredTiger's trees are a handful of levels deep; a deeper one is damage.
  static let maximumDepth = 32

  var leaves = LeafList()
  var stale = 0
  var unsupported = 0

  mutating func add(
    _ child: InternalPage.Child, key: ArraySlice<UInt8>, of file: TableFile, depth: Int = 0
  ) {
    if child.isLeaf {
      leaves.append(offset: child.address.offset, size: child.address.size, key: key)
      return
    }
    guard depth < Subtree.maximumDepth else {
      unsupported += 1
      return
    }
    do throws(InternalPage.Problem) {
      let page = try file.page(child.address)
      let leftOut = try page.forEachChild(allocationSize: file.allocationSize) {
        (below) throws(InternalPage.Problem) in
        add(below, key: below.key.map { page.bytes($0) } ?? key, of: file, depth: depth + 1)
      }
      unsupported += leftOut
    } catch {
      switch error {
      case .stale: stale += 1
      case .unsupported: unsupported += 1
      }
    }
  }
}

/// One table's file, opened for reading.
private final class TableFile: Sendable {
  let allocationSize: UInt64
  private let descriptor: Int32

  init?(home: String, table: TableCatalog.Table) {
    allocationSize = table.allocationSize
    // The path is zero-terminated for the time of the call.
    descriptor = unsafe open(home + "/" + table.uri.dropFirst(5), O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return nil }
  }

  deinit { close(descriptor) }

  func page(_ address: BlockAddress) throws(InternalPage.Problem) -> InternalPage {
    let size = Int(address.size)
    guard let offset = off_t(exactly: address.offset) else { throw .unsupported }
    let block = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      // At most as many bytes as there is room for.
      unsafe count = max(0, pread(descriptor, buffer.baseAddress!, size, offset))
    }
    return try InternalPage(block: block, address: address)
  }
}

/// Hands out numbers to several threads.
final class Counter: Sendable {
  private let value = Atomic<Int>(0)

  /// The first of the next `count` numbers.
  func take(_ count: Int) -> Int { value.add(count, ordering: .relaxed).oldValue }

  var taken: Int { value.load(ordering: .relaxed) }
}
