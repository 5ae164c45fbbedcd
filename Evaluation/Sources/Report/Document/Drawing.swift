extension Presentation {
  /// A drawing of something that was measured.
  package struct Drawing {
    /// What there are drawings of; the raw values are their names.
    enum Subject: String {
      case memory, total, bytes, downtime, costs, workloads, throughput, latency
    }

    /// Its file's, without the extension.
    package let name: String
    /// What is read where the image is not shown.
    package let title: String
    /// What its file holds.
    package let image: SVGDrawing

    /// - Parameter link: where it is of one link only.
    init(_ subject: Subject, link: String? = nil, _ title: String, _ image: SVGDrawing) {
      name = link.map { Drawing.prefix + $0 } ?? subject.rawValue
      self.title = title
      self.image = image
    }

    private static let prefix = "\(Subject.total.rawValue)-"

    /// Whether there is a drawing of that name for some raw data. A file with another one is none of ours.
    package static func canBeNamed(_ name: String) -> Bool {
      guard name.hasPrefix(prefix) else { return Subject(rawValue: name) != nil }
      // Rates as tc(8) writes them.
      let link = /unshaped|[0-9.]+[kmgt]?i?(bit|bps)/.ignoresCase()
      return name.dropFirst(prefix.count).wholeMatch(of: link) != nil
    }
  }
}
