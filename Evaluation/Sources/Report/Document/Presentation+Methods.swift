import Lab

extension Presentation {
  /// A column of the tables: a link and a share of memory in the cache.
  private struct Column: Hashable {
    var link: String
    var share: Int

    var title: String { "\(Presentation.linkTitle(link)), \(share) %" }
  }

  private static let links = ["1gbit", "10gbit", "unshaped"]

  mutating func addMethods(_ record: EvaluationRecord) {
    let runs = record.runs(of: .methods)
    let shares = Set(runs.map(\.conditions.cacheShare)).sorted()
    let columns = Presentation.links.flatMap { link in
      shares.map { Column(link: link, share: $0) }
    }.filter { column in
      runs.contains {
        $0.conditions.link == column.link && $0.conditions.cacheShare == column.share
      }
    }
    let methods = Method.allCases.filter { method in runs.contains { $0.method == method } }
    func cell(_ method: Method, _ column: Column, _ figure: Figure) -> Distribution? {
      runs.filter {
        $0.method == method && $0.conditions.link == column.link
          && $0.conditions.cacheShare == column.share
      }.distribution(of: figure)
    }
    let figures: [(name: String, figure: Figure, divisor: Double, digits: Int)] = [
      ("total", .total, 1, 2), ("bytes", .wireBytes, 1e6, 0), ("downtime", .downtimeClient, 1, 0),
    ]
    for (name, figure, divisor, digits) in figures {
      let rows = methods.map { method in
        [method.title]
          + columns.map { Table.cell(cell(method, $0, figure), divisor: divisor, digits: digits) }
      }
      parts.append((name, Table(head: [""] + columns.map(\.title), rows: rows).text))
    }
    guard !runs.isEmpty else { return }
    let measured = Presentation.links.filter { link in
      columns.contains { $0.link == link && $0.share == Goal.share }
    }
    let charts: [(name: String, title: String, axis: String, figure: Figure, divisor: Double)] = [
      ("total", "Total time, half of the guest's memory in the cache", "s", .total, 1),
      ("bytes", "Sent, half of the guest's memory in the cache", "MB", .wireBytes, 1e6),
      ("downtime", "Downtime as clients see it", "ms", .downtimeClient, 1),
    ]
    for chart in charts {
      let bars = methods.map { method in
        BarChart.Bar(
          label: method.title,
          values: measured.map { link in
            cell(method, Column(link: link, share: Goal.share), chart.figure)?
              .divided(by: chart.divisor)
          })
      }
      drawings.append(
        (
          chart.name,
          BarChart(
            title: chart.title, axis: chart.axis, series: measured.map(Presentation.linkTitle),
            bars: bars
          ).drawn()
        ))
    }
    guard shares.count > 1 else { return }
    let compared: [Method] = [
      .precopy, .postcopy, .freePageHint, .balloon, .leafcutter, .leafcutterMultifd, .ideal,
    ]
    for link in Presentation.links where columns.contains(where: { $0.link == link }) {
      let lines = compared.compactMap { method -> LineChart.Line? in
        let points = shares.compactMap { share -> LineChart.Point? in
          let column = Column(link: link, share: share)
          return cell(method, column, .total).map {
            LineChart.Point(x: Double(share), y: $0.median, spread: $0.least...$0.most)
          }
        }
        return points.isEmpty ? nil : LineChart.Line(name: method.title, points: points)
      }
      drawings.append(
        (
          "total-\(link)",
          LineChart(
            title: "Total time against cache size, \(Presentation.linkTitle(link))",
            horizontal: "memory in the cache, %", vertical: "s", lines: lines
          ).drawn()
        ))
    }
  }

  /// Of the methods at 1 Gbit/s with half of the memory in the cache.
  mutating func addCosts(_ record: EvaluationRecord) {
    let runs = record.runs(of: .methods).filter {
      $0.conditions.link == "1gbit" && $0.conditions.cacheShare == Goal.share
    }
    let figures: [(Figure, String, Double, Int)] = [
      (.settle, "observed, s", 1, 1), (.sourceProcessor, "source QEMU, s", 1, 1),
      (.proxyProcessor, "proxy, s", 1, 2), (.destinationProcessor, "destination QEMU, s", 1, 1),
      (.guestProcessor, "guest, s", 1, 1), (.storageBytesRead, "read, MB", 1e6, 0),
      (.storageReads, "reads", 1, 0), (.prepare, "prepare, s", 1, 2),
      (.refault, "refault, s", 1, 1),
    ]
    let rows = Method.allCases.compactMap { method -> [String]? in
      let mine = runs.filter { $0.method == method }
      guard !mine.isEmpty else { return nil }
      return [method.title]
        + figures.map {
          Table.cell(mine.distribution(of: $0.0), divisor: $0.2, digits: $0.3)
        }
    }
    parts.append(("costs", Table(head: [""] + figures.map(\.1), rows: rows).text))
  }
}

extension Distribution {
  /// Every value in another unit.
  func divided(by divisor: Double) -> Distribution? {
    Distribution(values.map { $0 / divisor })
  }
}
