import Lab

/// A document in which generated parts stand between markers, `<!-- NAME -->` and `<!-- end NAME -->`,
/// each on a line of its own. Everything else in it was written by people.
package struct MarkedText {
  /// The whole document.
  package private(set) var text: String

  /// Takes the document as it is, be there markers or not.
  package init(_ text: String) { self.text = text }

  /// Puts `part` between the markers of that name; nothing where it is empty.
  ///
  /// - Throws: where the document does not have both.
  package mutating func set(_ name: String, to part: String) throws(LabError) {
    let (begin, end) = ("<!-- \(name) -->", "<!-- end \(name) -->")
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard let first = lines.firstIndex(of: begin), let last = lines.firstIndex(of: end),
      first < last
    else {
      throw LabError("the document has no lines \(begin) and \(end), between which \(name) belongs")
    }
    lines.replaceSubrange((first + 1)..<last, with: part.isEmpty ? [] : ["", part, ""])
    text = lines.joined(separator: "\n")
  }

  /// The names of the parts, in their order.
  package var names: [String] {
    text.split(separator: "\n").compactMap { line in
      guard line.hasPrefix("<!-- end "), line.hasSuffix(" -->") else { return nil }
      return String(line.dropFirst("<!-- end ".count).dropLast(" -->".count))
    }
  }

  /// Puts each drawing between the markers `drawing NAME`, and nothing between those whose drawing does
  /// not exist.
  ///
  /// - Parameter path: the drawings' directory, as it is reached from the document.
  /// - Throws: where a marker has no counterpart.
  package mutating func setDrawings(
    _ drawings: [Presentation.Drawing], in path: String
  ) throws(LabError) {
    let prefix = "drawing "
    for part in names where part.hasPrefix(prefix) {
      let drawing = drawings.first { $0.name == part.dropFirst(prefix.count) }
      try set(part, to: drawing.map { "![\($0.title)](\(path)/\($0.name).svg)" } ?? "")
    }
  }
}
