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
  ///   - digits: behind the point.
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

  func cell(_ runs: [Run]) -> String { Table.cell(distribution(over: runs), digits: digits) }

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
  /// A row for each method that occurs, with a word about its runs that did not converge.
  init(ofMethodsIn runs: [Run], columns: [FigureColumn]) {
    self.init(
      head: [""] + columns.map(\.title),
      rows: runs.methods.map { method in
        let mine = runs.of(method)
        return [Table.label(method, mine)] + columns.map { $0.cell(mine) }
      })
  }

  static func label(_ method: Method, _ runs: [Run]) -> String {
    let lost = runs.count - runs.converged.count
    guard lost > 0 else { return method.title }
    return "\(method.title) (\(lost) of \(runs.count) did not converge)"
  }
}
