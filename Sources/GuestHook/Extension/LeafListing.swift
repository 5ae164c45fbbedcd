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
  /// See ``TableCatalog/leftOut``.
  let tablesLeftOut: Int

  var count: Int { tables.reduce(0) { $0 + $1.leaves.count } }

  /// - Parameters:
  ///   - home: the database's directory.
  ///   - threads: how many read and parse; a subtree below a root is one piece of work.
  init(home: String, catalog: TableCatalog, threads: Int) {
    tablesLeftOut = catalog.leftOut
    var segments: [Segment] = []
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
          let key = child.key.map { page.bytes($0) } ?? []
          if child.isLeaf, let last = segments.indices.last, segments[last].table == number,
            segments[last].below == nil
          {
            segments[last].subtree.add(child, key: key, of: file)
          } else if child.isLeaf {
            segments.append(Segment(table: number, file: file))
            segments[segments.count - 1].subtree.add(child, key: key, of: file)
          } else {
            segments.append(Segment(table: number, file: file, below: child, key: Array(key)))
          }
        }
      } catch {
        note(error)
      }
    }
    for segment in LeafListing.walk(segments, threads: threads) {
      tables[segment.table].leaves.append(contentsOf: segment.subtree.leaves)
      stale += segment.subtree.stale
      unsupported += segment.subtree.unsupported
    }
  }

  private mutating func note(_ problem: InternalPage.Problem) {
    switch problem {
    case .stale: stale += 1
    case .unsupported: unsupported += 1
    }
  }

  /// Fills in the segments that lie below an internal page.
  private static func walk(_ segments: [Segment], threads: Int) -> [Segment] {
    let work = segments.indices.filter { segments[$0].below != nil }
    let results = Locked(segments)
    let next = Counter()
    let crew = Crew("leafcutter-list", count: min(threads, work.count)) { _ in
      while case let index = next.take(1), index < work.count {
        var segment = segments[work[index]]
        if let below = segment.below {
          segment.subtree.add(below, key: segment.key[...], of: segment.file)
        }
        let finished = segment
        results.use { $0[work[index]] = finished }
      }
    }
    crew.join()
    return results.use { $0 }
  }

  /// Part of a table, in key order: leaves that a root names itself, or one internal page's.
  private struct Segment: Sendable {
    var table: Int
    var file: TableFile
    var below: InternalPage.Child?
    var key: [UInt8] = []
    var subtree = Subtree()
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
