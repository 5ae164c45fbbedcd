extension StreamInspection {
  /// The form for people.
  public var text: String {
    var lines = ["migration stream of \(bytes) bytes"]
    if channels.contains(where: { $0.kind == "main" || $0.kind == "unknown" }) {
      lines.append(
        "machine \(machine ?? "not named"), pages of \(targetPageSize) bytes, "
          + (returnPath ? "return path" : "no return path") + (mode.map { ", \($0)" } ?? ""))
    }
    lines += channelTables
    let broken = channels.filter(\.recovered)
    if !broken.isEmpty { lines += ["", "connections that broke and were recovered"] }
    lines += broken.compactMap { channel in
      channel.problem.map { "  \(channel.file), \($0.line)" }
    }
    lines += table(
      "RAM blocks", ["name", "bytes", "host page size", "region address"] + pageKinds,
      blocks.map {
        [
          $0.name, "\($0.bytes)", $0.hostPageSize.map { "\($0)" } ?? "",
          $0.regionAddress.map { "0x" + String($0, radix: 16) } ?? "",
        ] + cells($0.pages)
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
      "pages", ["round"] + pageKinds,
      rounds.enumerated().map { ["\($0 + 1)"] + cells($1) } + [["all"] + cells(pages)])
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
    lines.append(problem?.line ?? "the stream is complete")
    return lines.joined(separator: "\n")
  }

  /// Nothing for a main channel alone, of which all is said elsewhere.
  private var channelTables: [String] {
    guard channels.count > 1 || channels.contains(where: { $0.kind != "main" }) else { return [] }
    return table(
      "channels", ["file", "kind", "bytes"] + pageKinds,
      channels.map { [$0.file, $0.kind, "\($0.bytes)"] + cells($0.pages) })
      + table(
        "multifd", ["file", "id", "packets", "sync", "device state", "compression"],
        channels.compactMap { channel in
          channel.multifd.map {
            [
              channel.file, $0.id.map { "\($0)" } ?? "", "\($0.packets)", "\($0.syncPackets)",
              "\($0.deviceStatePackets)", $0.compression ?? "",
            ]
          }
        })
      + table(
        "pages by channel and block", ["file", "block"] + pageKinds,
        channels.filter { $0.kind != "main" }.flatMap { channel in
          channel.blocks.map { [channel.file, $0.name] + cells($0.pages) }
        })
  }

  /// The kinds of pages that have a column: the last two are rare.
  private var pageKinds: [String] {
    ["normal", "zero"] + (pages.xbzrle > 0 ? ["xbzrle"] : [])
      + (pages.compressed > 0 ? ["compressed"] : [])
  }

  private func cells(_ counted: Pages) -> [String] {
    ["\(counted.normal)", "\(counted.zero)"] + (pages.xbzrle > 0 ? ["\(counted.xbzrle)"] : [])
      + (pages.compressed > 0 ? ["\(counted.compressed)"] : [])
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

extension StreamInspection.Problem {
  /// The form for people.
  public var line: String {
    let place = "at byte \(offset)"
    return "\(file.map { "\($0), \(place)" } ?? place): \(sentence)"
  }
}
