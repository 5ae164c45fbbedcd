// Between the guardian and a database, from its registration to the end of a migration.

extension LocalMessage {
  /// Database to guardian, first on the connection, and again when it knows more of itself.
  public struct Register: Message, Equatable {
    public static let code: UInt16 = 201
    /// The database's directory, absolute.
    public var home: String
    /// What the engine calls itself, e.g. "WiredTiger 3.2.1: (May 27, 2020)".
    public var engine: String
    /// The release whose function tables it has, e.g. "3.2.1".
    public var layout: String
    /// What serves its malloc, e.g. "jemalloc"; empty where the hold library is not preloaded.
    public var allocator: String
    /// Leaves can be listed and probed; otherwise the cache can only be shrunk.
    public var listsLeaves: Bool
    /// The hold library is preloaded, and nothing is known to stand in its way; otherwise frames go back to
    /// the kernel.
    public var holdsFrames: Bool
    /// What is missing or switched off, one sentence each.
    public var notes: [String]

    public init(
      home: String, engine: String, layout: String, allocator: String, listsLeaves: Bool,
      holdsFrames: Bool, notes: [String]
    ) {
      self.home = home
      self.engine = engine
      self.layout = layout
      self.allocator = allocator
      self.listsLeaves = listsLeaves
      self.holdsFrames = holdsFrames
      self.notes = notes
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(home)
      payload.put(engine, limit: 256)
      payload.put(layout, limit: 32)
      payload.put(allocator, limit: 32)
      payload.put(listsLeaves)
      payload.put(holdsFrames)
      payload.put(notes: notes)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      home = try payload.text("home")
      engine = try payload.text("engine", limit: 256)
      layout = try payload.text("layout", limit: 32)
      allocator = try payload.text("allocator", limit: 32)
      listsLeaves = try payload.flag("lists leaves")
      holdsFrames = try payload.flag("holds frames")
      notes = try payload.notes()
    }
  }

  /// Database to guardian: the frames are in the hold area and pinned by this io_uring.
  public struct HeldMemory: Message, Equatable {
    public static let code: UInt16 = 203
    /// The ring's number in the database's descriptor table, for pidfd_getfd(2).
    public var ring: Int32
    /// Pinned pieces of the hold area, in the order in which they are registered.
    public var pieces: [AddressRange]

    public init(ring: Int32, pieces: [AddressRange]) {
      self.ring = ring
      self.pieces = pieces
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(ring)
      payload.put(list: pieces) {
        $0.put($1.address)
        $0.put($1.length)
      }
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      ring = try payload.integer("ring")
      var total: UInt64 = 0
      pieces = try payload.list("pieces", minimumSize: 16) { reader throws(MessageError) in
        let piece = AddressRange(
          address: try reader.integer("address"), length: try reader.integer("length"))
        let room = AddressRange.addressSpace - min(piece.address, AddressRange.addressSpace)
        guard piece.address % HeldPages.pageSize == 0, room > 0 else {
          throw .outOfRange(field: "address", value: piece.address)
        }
        guard piece.length > 0, piece.length % HeldPages.pageSize == 0,
          piece.length <= min(room, AddressRange.addressSpace - total)
        else { throw .outOfRange(field: "length", value: piece.length) }
        total += piece.length
        return piece
      }
    }
  }

  /// A stretch of the database's address space, in bytes.
  public struct AddressRange: Equatable, Sendable {
    public var address: UInt64
    public var length: UInt64

    /// Where the part of it that is a program's ends at the latest (x86-64 with five levels). All pieces of a
    /// message together are no longer.
    static let addressSpace: UInt64 = 1 << 56

    public init(address: UInt64, length: UInt64) {
      self.address = address
      self.length = length
    }
  }

  /// Database to guardian: eviction is done, and ``HeldMemory`` (if any) has been sent. Also the
  /// answer to ``SaveManifest``, with nothing evicted.
  public struct Prepared: Message, Equatable {
    public static let code: UInt16 = 204
    public var leavesListed: UInt64
    public var leavesInManifest: UInt64
    public var leavesEvicted: UInt64
    public var steps: [StepTime]
    public var notes: [String]

    public init(
      leavesListed: UInt64, leavesInManifest: UInt64, leavesEvicted: UInt64, steps: [StepTime],
      notes: [String]
    ) {
      self.leavesListed = leavesListed
      self.leavesInManifest = leavesInManifest
      self.leavesEvicted = leavesEvicted
      self.steps = steps
      self.notes = notes
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(leavesListed)
      payload.put(leavesInManifest)
      payload.put(leavesEvicted)
      StepTime.write(steps, to: &payload)
      payload.put(notes: notes)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      leavesListed = try payload.leaves("leaves listed")
      leavesInManifest = try payload.leaves("leaves in manifest")
      leavesEvicted = try payload.leaves("leaves evicted")
      steps = try StepTime.read(from: &payload)
      notes = try payload.notes()
    }
  }

  /// Guardian to database: unpin and unmap every held frame. The guardian has closed, or is about
  /// to close, its duplicates of the ring.
  public struct Release: Message, Equatable {
    public static let code: UInt16 = 205
    public init() {}
    public func write(to payload: inout PayloadWriter) {}
    public init(from payload: inout PayloadReader) throws(MessageError) {}
  }

  /// Guardian to database: unpin these pieces and give their memory back; the others stay held. Nothing is
  /// answered, but for ``Failed``.
  public struct ReleasePieces: Message, Equatable {
    public static let code: UInt16 = 218
    /// Where pieces of ``HeldMemory`` begin.
    public var addresses: [UInt64]

    public init(addresses: [UInt64]) { self.addresses = addresses }

    public func write(to payload: inout PayloadWriter) {
      payload.put(list: addresses) { $0.put($1) }
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      addresses = try payload.list("addresses", minimumSize: 8) { reader throws(MessageError) in
        try reader.integer("address")
      }
    }
  }

  /// Database to guardian: done.
  public struct Released: Message, Equatable {
    public static let code: UInt16 = 206
    public init() {}
    public func write(to payload: inout PayloadWriter) {}
    public init(from payload: inout PayloadReader) throws(MessageError) {}
  }

  /// Guardian to database: restore cache_size, then read the manifest's leaves back.
  public struct Resume: Message, Equatable {
    public static let code: UInt16 = 207
    /// How many read; 0 leaves it to clients to fill the cache again.
    public var threads: UInt32
    /// Leaves per second over all threads; 0 means as fast as it goes.
    public var leavesPerSecond: UInt32
    /// The program's own reads come first: slower while they take long.
    public var yields: Bool

    public init(threads: UInt32, leavesPerSecond: UInt32, yields: Bool = true) {
      self.threads = threads
      self.leavesPerSecond = leavesPerSecond
      self.yields = yields
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(threads)
      payload.put(leavesPerSecond)
      payload.put(yields)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      threads = try payload.integer("threads")
      leavesPerSecond = try payload.integer("leaves per second")
      yields = try payload.flag("yields")
    }
  }

  /// Database to guardian: the refault of ``Resume`` or ``LoadManifest`` is over.
  public struct DatabaseResumed: Message, Equatable {
    public static let code: UInt16 = 208
    public var leavesInManifest: UInt64
    public var leavesRefaulted: UInt64
    public var leavesResident: UInt64
    public var steps: [StepTime]
    public var notes: [String]

    public init(
      leavesInManifest: UInt64, leavesRefaulted: UInt64, leavesResident: UInt64,
      steps: [StepTime], notes: [String]
    ) {
      self.leavesInManifest = leavesInManifest
      self.leavesRefaulted = leavesRefaulted
      self.leavesResident = leavesResident
      self.steps = steps
      self.notes = notes
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(leavesInManifest)
      payload.put(leavesRefaulted)
      payload.put(leavesResident)
      StepTime.write(steps, to: &payload)
      payload.put(notes: notes)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      leavesInManifest = try payload.leaves("leaves in manifest")
      leavesRefaulted = try payload.leaves("leaves refaulted")
      leavesResident = try payload.leaves("leaves resident")
      steps = try StepTime.read(from: &payload)
      notes = try payload.notes()
    }
  }
}

extension PayloadReader {
  fileprivate mutating func leaves(_ field: StaticString) throws(MessageError) -> UInt64 {
    let count: UInt64 = try integer(field)
    guard count <= LocalMessage.maximumLeaves else { throw .outOfRange(field: field, value: count) }
    return count
  }
}
