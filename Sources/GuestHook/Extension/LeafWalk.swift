import LeafManifest

/// One thread's walk over parts of tables, for ``LeafSurvey``.
struct LeafWalk {
  /// What is walked over: some leaves of a table, or all below an internal page.
  enum Content: Sendable {
    case leaves(LeafList)
    case subtree(BlockAddress, key: [UInt8])
  }

  /// What was found there; see ``LeafSurvey``.
  struct Findings: Sendable {
    var leaves = LeafList()
    var asked = 0
    var stale = 0
    var unsupported = 0
    var unasked = 0
  }

  /// WiredTiger's trees are a handful of levels deep; a deeper one is damage.
  private static let maximumDepth = 32
  /// Leaves that are asked for with the table open.
  private static let piece = 512

  private let home: String
  private let hold: HoldLibrary
  private let check: ReadCheck
  private let visitor: LeafVisitor
  private var findings = Findings()

  /// nil where the engine gives no session.
  init?(home: String, engine: Engine, hold: HoldLibrary, check: ReadCheck) {
    guard let visitor = try? LeafVisitor(engine, probing: hold, home: home) else { return nil }
    self.home = home
    self.hold = hold
    self.check = check
    self.visitor = visitor
  }

  mutating func findings(in content: Content, of table: TableCatalog.Table) -> Findings {
    findings = Findings()
    defer { visitor.letGo() }
    switch content {
    case .leaves(let leaves):
      for start in stride(from: 0, to: leaves.count, by: LeafWalk.piece) {
        ask(for: leaves, start..<min(start + LeafWalk.piece, leaves.count), of: table)
      }
    case .subtree(let address, let key):
      if let file = TableFile(home: home, table: table) {
        descend(to: address, key: key[...], file, table, depth: 1)
      } else {
        findings.unasked += 1
      }
    }
    return findings
  }

  private mutating func descend(
    to address: BlockAddress, key: ArraySlice<UInt8>, _ file: TableFile,
    _ table: TableCatalog.Table, depth: Int
  ) {
    guard depth < LeafWalk.maximumDepth else {
      findings.unsupported += 1
      return
    }
    // Asking would read it all.
    guard !check.hasFailed else { return }
    guard visitor.moves(to: table.uri) else {
      findings.unasked += 1
      return
    }
    guard isInCache(address, key: key) else { return }
    var leaves = LeafList()
    do throws(InternalPage.Problem) {
      findings.unsupported += try file.forEachChild(of: address, separator: key) {
        (child, key) throws(InternalPage.Problem) in
        if child.isLeaf {
          leaves.append(offset: child.address.offset, size: child.address.size, key: key)
        } else {
          descend(to: child.address, key: key, file, table, depth: depth + 1)
        }
      }
    } catch {
      switch error {
      case .stale: findings.stale += 1
      case .unsupported: findings.unsupported += 1
      }
    }
    ask(for: leaves, 0..<leaves.count, of: table)
    // Nobody is refused the table for longer than one page's leaves take.
    visitor.letGo()
  }

  /// Whether an internal page is, or may be. Its leftmost leaf is searched for, and what would have been
  /// read first is either this page, or lies below it, or the page has another place by now.
  private func isInCache(_ address: BlockAddress, key: ArraySlice<UInt8>) -> Bool {
    // The key is alive during the call.
    let code = unsafe key.withUnsafeBytes { unsafe visitor.visit($0) }
    return code == 0 || hold.refusedRead != address.offset
  }

  /// Adds those of the leaves that are in the cache.
  private mutating func ask(
    for leaves: LeafList, _ range: Range<Int>, of table: TableCatalog.Table
  ) {
    guard !range.isEmpty, !check.hasFailed else { return }
    guard visitor.moves(to: table.uri) else {
      findings.unasked += range.count
      return
    }
    var refused = 0
    var found: [Int] = []
    unsafe leaves.keyBytes.withUnsafeBytes { keys in
      for leaf in range {
        // Key ranges lie within the key bytes, which are alive during the call.
        let key = unsafe UnsafeRawBufferPointer(rebasing: keys[leaves.keyRange(leaf)])
        if unsafe visitor.visit(key) == 0 { found.append(leaf) }
        if hold.refusedRead != nil { refused += 1 }
      }
    }
    for leaf in found {
      findings.leaves.append(
        offset: leaves.offsets[leaf], size: leaves.sizes[leaf],
        key: leaves.keyBytes[leaves.keyRange(leaf)])
    }
    findings.asked += range.count
    check.note(asked: range.count, refused: refused)
  }
}
