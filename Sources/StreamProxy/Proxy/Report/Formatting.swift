extension Duration {
  /// "12.3 s"
  var formattedSeconds: String { (self / .seconds(1)).rounded(to: 1) + " s" }
}

extension Double {
  /// With so many digits after the point.
  func rounded(to digits: Int) -> String {
    let scale = (0..<digits).reduce(1.0) { value, _ in value * 10 }
    let whole = Int((magnitude * scale).rounded())
    let sign = self < 0 && whole != 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(whole % Int(scale))
    let padding = String(repeating: "0", count: digits - fraction.count)
    return "\(sign)\(whole / Int(scale)).\(padding)\(fraction)"
  }
}

extension UInt64 {
  /// In millions, with one digit after the point.
  var inMegabytes: String { (Double(self) / 1e6).rounded(to: 1) }
}
