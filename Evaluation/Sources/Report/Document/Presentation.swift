import Lab

/// What is made of raw data: parts of the document and drawings.
package struct Presentation {
  /// What stands between a document's markers of that name.
  package struct Part {
    /// The markers'.
    package let name: String
    /// In Markdown.
    package let text: String
  }

  /// In the order in which they are made.
  package private(set) var parts: [Part] = []
  /// Of what was measured only.
  package private(set) var drawings: [Drawing] = []

  /// - Throws: where runs of one experiment are not comparable.
  package init(_ record: EvaluationRecord) throws(LabError) {
    try record.requireComparableRuns()
    addMachines(record)
    add("goals", Goal.table(record))
    addSessions(record)
    addRuns(record)
    addMemory(record)
    addMethods(record)
    addCosts(record)
    addWorkloads(record)
    addService(record)
  }

  /// One column for each machine, and what was measured on it where there are several.
  private mutating func addMachines(_ record: EvaluationRecord) {
    let occurring = Set(record.runs.map(\.experiment))
    let experiments = Experiment.allCases.filter(occurring.contains)
    var machines: [[String: String]] = []
    for machine in experiments.map({ record.machine(of: $0) }) where !machines.contains(machine) {
      machines.append(machine)
    }
    let head = machines.map { machine in
      machines.count == 1
        ? ""
        : experiments.filter { record.machine(of: $0) == machine }.map(\.rawValue)
          .joined(separator: ", ")
    }
    let names = Set(machines.flatMap(\.keys)).sorted()
    add(
      "machine",
      Table(
        head: [""] + head,
        rows: names.map { name in [name] + machines.map { $0[name] ?? "not noted" } }))
  }

  mutating func add(_ name: String, _ text: String) {
    parts.append(Part(name: name, text: text))
  }

  mutating func add(_ name: String, _ table: Table) { add(name, table.text) }

  mutating func add(_ drawing: Drawing) { drawings.append(drawing) }
}
