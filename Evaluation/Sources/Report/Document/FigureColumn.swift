import Lab

/// A column of a table whose rows are sets of runs: what is measured, and how it is written.
struct FigureColumn: Sendable {
  /// With its unit.
  let title: String
  private let divisor: Double
  private let digits: Int
  private let value: @Sendable (Run) -> Double?

  /// - Parameters:
  ///   - divisor: what makes the title's unit of the figure's.
  ///   - digits: after the point.
  init(
    _ title: String, divisor: Double = 1, digits: Int = 0,
    value: @escaping @Sendable (Run) -> Double?
  ) {
    self.title = title
    self.divisor = divisor
    self.digits = digits
    self.value = value
  }

  init(_ title: String, _ figure: Figure, divisor: Double = 1, digits: Int = 0) {
    self.init(title, divisor: divisor, digits: digits) { $0[figure] }
  }

  /// How it lies over the runs that converged, in the title's unit.
  func distribution(over runs: [Run]) -> Distribution? {
    Distribution(runs.converged.compactMap(value).map { $0 / divisor })
  }

  /// - Parameter count: of runs that the reader expects.
  func cell(_ runs: [Run], expected count: Int = EvaluationRecord.repetitions) -> String {
    Table.cell(distribution(over: runs), digits: digits, expected: count)
  }

  /// The same, with a word about those that did not converge: for a table whose rows have no other place
  /// for it.
  func cellNamingUnconverged(_ runs: [Run]) -> String {
    let lost = runs.count - runs.converged.count
    guard lost > 0 else { return cell(runs) }
    let note = "\(lost) of \(runs.count) did not converge"
    return lost == runs.count ? note : "\(cell(runs)); \(note)"
  }
}

extension Table {
  /// A row for each method that occurs.
  init(ofMethodsIn runs: [Run], columns: [FigureColumn]) {
    self.init(
      head: [""] + columns.map(\.title),
      rows: runs.methods.map { method in
        let mine = runs.of(method)
        return [Table.label(method.title, mine)] + Table.row(of: mine, columns)
      })
  }

  /// A row's name, with the number of its runs where it is not that of the full evaluation, and a word
  /// about those that did not converge.
  static func label(_ name: String, _ runs: [Run]) -> String {
    let count = runs.converged.count
    var notes: [String] = []
    if count != EvaluationRecord.repetitions { notes.append("n=\(count)") }
    if count < runs.count {
      notes.append("\(runs.count - count) of \(runs.count) did not converge")
    }
    return notes.isEmpty ? name : "\(name) (\(notes.joined(separator: ", ")))"
  }

  /// A row's name, with a word where post-copy was ordered and not all of the runs that converged were
  /// switched to it.
  static func name(of method: Method, _ runs: [Run]) -> String {
    let ordered = runs.converged.compactMap { $0[.postcopySwitched] }
    let switched = ordered.count { $0 != 0 }
    guard switched < ordered.count else { return method.title }
    return "\(method.title) (switched \(switched) of \(ordered.count))"
  }

  /// A row's cells, which name the number of runs where it is not that of the row.
  static func row(of runs: [Run], _ columns: [FigureColumn]) -> [String] {
    columns.map { $0.cell(runs, expected: runs.converged.count) }
  }
}
