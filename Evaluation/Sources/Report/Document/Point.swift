import Lab

/// A column of the methods' tables: a link, and the share of the guest's memory in the database's cache.
struct Point: Hashable {
  var link: String
  /// In per cent.
  var share: Int

  /// Those that occur among the runs, in the order in which they are shown.
  static func all(of runs: [Run]) -> [Point] {
    Set(runs.map { Point(of: $0) }).sorted {
      ($0.rank, $0.link, $0.share) < ($1.rank, $1.link, $1.share)
    }
  }

  init(link: String, share: Int) {
    self.link = link
    self.share = share
  }

  init(of run: Run) { self.init(link: run.conditions.link, share: run.conditions.cacheShare) }

  var title: String { "\(Point.title(ofLink: link)), \(share) %" }

  static func title(ofLink link: String) -> String {
    switch link {
    case "100mbit": "100 Mbit/s"
    case "1gbit": "1 Gbit/s"
    case "10gbit": "10 Gbit/s"
    default: link
    }
  }

  private var rank: Int {
    switch link {
    case "1gbit": 0
    case "10gbit": 1
    case "unshaped": 2
    default: 3
    }
  }
}

extension [Run] {
  func at(_ point: Point) -> [Run] { filter { Point(of: $0) == point } }
}
