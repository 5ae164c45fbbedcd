extension StreamInspection {
  /// The form for people.
  public var text: String {
    var lines = ["migration stream of \(bytes) bytes"]
    lines.append(
      "machine \(machine ?? "not named"), pages of \(targetPageSize) bytes, "
        + (returnPath ? "return path" : "no return path"))
    lines += table(
      "RAM blocks", ["name", "bytes", "host page size", "region address"],
      blocks.map {
        [
          $0.name, "\($0.bytes)", $0.hostPageSize.map { "\($0)" } ?? "",
          $0.regionAddress.map { "0x" + String($0, radix: 16) } ?? "",
        ]
      })
    lines += table(
      "sections",
      ["name", "id", "instance", "version", "starts", "parts", "ends", "fulls", "bytes"],
      sections.map {
        [
          $0.name, "\($0.id)", "\($0.instance)", "\($0.version)", "\($0.starts)", "\($0.parts)",
          "\($0.ends)", "\($0.fulls)", "\($0.bytes)",
        ]
      })
    lines += table(
      "commands", ["name", "number", "count"],
      commands.map { [$0.name, "\($0.number)", "\($0.count)"] })
    lines += table(
      "pages", ["round", "normal", "zero"],
      rounds.enumerated().map { ["\($0 + 1)", "\($1.normal)", "\($1.zero)"] }
        + [["all", "\(pages.normal)", "\(pages.zero)"]])
    if multifdFlushes > 0 { lines.append("  multifd flush markers: \(multifdFlushes)") }
    lines += table(
      "device states", ["name", "id", "instance", "version", "offset", "bytes"],
      deviceStates.map {
        [$0.name, "\($0.id)", "\($0.instance)", "\($0.version)", "\($0.offset)", "\($0.bytes)"]
      })
    if let deviceStatesNote { lines += ["", "device states: \(deviceStatesNote)"] }
    lines += table(
      "bytes by kind", ["kind", "bytes"], bytesByKind.map { [$0.kind, "\($0.bytes)"] })
    lines.append("")
    lines.append(
      problem.map { "at byte \($0.offset): \($0.sentence)" } ?? "the stream is complete")
    return lines.joined(separator: "\n")
  }

  /// Nothing where there are no rows. The first column stands at the left, the others at the right.
  private func table(
    _ title: String, _ header: [String], _ rows: [[String]]
  ) -> [String] {
    guard !rows.isEmpty else { return [] }
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    let lines = all.map { row in
      let cells = row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + padding : padding + cell
      }
      let line = "  " + cells.joined(separator: "  ")
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    return ["", title] + lines
  }
}
