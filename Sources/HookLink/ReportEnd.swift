extension GuestMessage {
  /// Ends the report, which is the ``HeldPages`` since PREPARE and this. Nothing is dropped before.
  public struct ReportEnd: Message, Equatable {
    public static let code: UInt16 = 103
    /// How many pages the pieces named; the proxy checks it.
    public var pages: UInt64
    /// How many held pages were filled with zeroes instead, where PREPARE asked for that.
    public var pagesZeroed: UInt64
    /// Guest-physical addresses of held pages that have been made ``ProbePage``s and are in no piece.
    public var probes: [UInt64]
    public var leavesListed: UInt64
    /// Resident ones, which are those in the manifest.
    public var leavesInManifest: UInt64
    public var leavesEvicted: UInt64
    public var steps: [StepTime]
    /// What the operator should know (a database that could not take part, a step left out).
    public var notes: [String]

    /// Of which nobody has the use: reported, or filled with zeroes.
    public var pagesHeld: UInt64 { pages &+ pagesZeroed }

    /// A few for each segment of ``HostMessage/Prepare/maximumSegments``.
    public static let maximumProbes = 8 * HostMessage.Prepare.maximumSegments

    public init(
      pages: UInt64, pagesZeroed: UInt64, probes: [UInt64], leavesListed: UInt64,
      leavesInManifest: UInt64, leavesEvicted: UInt64, steps: [StepTime], notes: [String]
    ) {
      self.pages = pages
      self.pagesZeroed = pagesZeroed
      self.probes = probes
      self.leavesListed = leavesListed
      self.leavesInManifest = leavesInManifest
      self.leavesEvicted = leavesEvicted
      self.steps = steps
      self.notes = notes
    }

    public func write(to payload: inout PayloadWriter) {
      payload.put(pages)
      payload.put(pagesZeroed)
      payload.put(list: probes) { $0.put($1) }
      payload.put(leavesListed)
      payload.put(leavesInManifest)
      payload.put(leavesEvicted)
      StepTime.write(steps, to: &payload)
      payload.put(notes: notes)
    }

    public init(from payload: inout PayloadReader) throws(MessageError) {
      pages = try payload.integer("pages")
      pagesZeroed = try payload.integer("pages zeroed")
      probes = try payload.list(
        "probes", minimumSize: 8, limit: ReportEnd.maximumProbes
      ) { reader throws(MessageError) in
        let address: UInt64 = try reader.integer("probe address")
        guard address % HeldPages.pageSize == 0 else {
          throw .outOfRange(field: "probe address", value: address)
        }
        return address
      }
      leavesListed = try payload.integer("leaves listed")
      leavesInManifest = try payload.integer("leaves in manifest")
      leavesEvicted = try payload.integer("leaves evicted")
      steps = try StepTime.read(from: &payload)
      notes = try payload.notes()
    }
  }
}
