/// The measurements as text, in Markdown's form.
enum BenchTable {
  static let heading = """
    | relay | pages dead | GB/s | ratio (from, to) | user, s/GB | system, s/GB | peak resident, MB | proportional, MB | calls/GB |
    |---|---|---|---|---|---|---|---|---|
    """

  static func title(_ bench: BenchCase) -> String {
    let channels =
      bench.mode == .single ? "one channel" : "multifd, \(bench.channels) channels"
    return "\(channels), \(bench.socket == .tcp ? "TCP" : "unix sockets")"
  }

  static func row(_ measurement: Measurement) -> String {
    let bench = measurement.bench
    let dead =
      bench.relay != .leafcutter
      ? "" : bench.dead.percent == 0 ? "0 %" : "\(bench.dead.percent) %, \(bench.dead.arrangement)"
    let ratio = measurement.spread(\.ratio)
    var cells = [
      "\(bench.relay)", dead, fixed(measurement.spread(\.throughput).median / 1e9, 2),
      "\(fixed(ratio.median, 2)) (\(fixed(ratio.least, 2)), \(fixed(ratio.most, 2)))",
    ]
    if bench.relay == .none {
      cells += ["", "", "", "", ""]
    } else {
      cells += [
        fixed(measurement.spread(\.userPerGB).median, 3),
        fixed(measurement.spread(\.systemPerGB).median, 3),
        fixed(measurement.spread { Double($0.memory.peakResident) }.median / 1e6, 1),
        fixed(measurement.spread { Double($0.memory.proportional) }.median / 1e6, 1),
        fixed(measurement.spread(\.systemCallsPerGB).median, 0),
      ]
    }
    return "| \(cells.joined(separator: " | ")) |"
  }

  /// With so many digits after the point.
  static func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((value * scale).rounded())
    guard digits > 0 else { return "\(scaled)" }
    let (whole, rest) = scaled.quotientAndRemainder(dividingBy: Int(scale))
    let fraction = "\(rest.magnitude)"
    return "\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }
}
