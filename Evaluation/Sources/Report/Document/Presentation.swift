import Lab

/// What is made of raw data: parts of the document and drawings.
public struct Presentation: Sendable {
  /// What stands between a document's markers of that name.
  public struct Part: Sendable {
    public let name: String
    public let text: String
  }

  /// A drawing of something that was measured.
  public struct Drawing: Sendable {
    /// Its file's, without the extension.
    public let name: String
    public let title: String
    public let image: SVGDrawing
  }

  public private(set) var parts: [Part] = []
  public private(set) var drawings: [Drawing] = []

  /// - Throws: where runs of one experiment are not comparable.
  public init(_ record: EvaluationRecord) throws(LabError) {
    try record.requireComparableRuns()
    let machine = record.machine.sorted { $0.key < $1.key }
    add("machine", Table(head: ["", ""], rows: machine.map { [$0.key, $0.value] }))
    add("goals", Goal.table(record))
    addRuns(record)
    addMemory(record)
    addMethods(record)
    addCosts(record)
    addWorkloads(record)
    addService(record)
  }

  mutating func add(_ name: String, _ text: String) {
    parts.append(Part(name: name, text: text))
  }

  mutating func add(_ name: String, _ table: Table) { add(name, table.text) }

  mutating func draw(_ name: String, _ title: String, _ image: SVGDrawing) {
    drawings.append(Drawing(name: name, title: title, image: image))
  }
}
