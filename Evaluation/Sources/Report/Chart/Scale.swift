import Glibc
import Lab

/// Maps values to places on an axis.
struct Scale {
  enum Kind {
    case linear
    /// Decades of equal length.
    case logarithmic
  }

  let kind: Kind
  /// The ends of the axis, in the values' unit.
  let low: Double
  let high: Double
  /// Where values are written, from low to high.
  let ticks: [Double]
  /// Where the ends lie in the drawing.
  private let start: Double
  private let end: Double

  /// An axis from 0 (linear) or a power of ten (logarithmic) on, which ends at or above the highest value.
  ///
  /// - Parameters:
  ///   - values: of which those that are not above 0 have no place on a logarithmic axis.
  ///   - start: the place of the axis' low end; `end` that of the high one.
  ///   - from: where a linear axis begins, below 0 for times before an event.
  init(
    _ kind: Kind, covering values: [Double], from start: Double, to end: Double,
    beginning from: Double = 0
  ) {
    self.kind = kind
    self.start = start
    self.end = end
    switch kind {
    case .linear:
      let highest = max(values.max() ?? 1, from + 1e-9)
      let step = Scale.step(for: highest - from)
      low = (from / step).rounded(.down) * step
      high = (highest / step).rounded(.up) * step
      let count = Int(((high - low) / step).rounded())
      let first = low
      ticks = (0...count).map { first + Double($0) * step }
    case .logarithmic:
      let positive = values.filter { $0 > 0 }
      let lowest = log10(positive.min() ?? 1).rounded(.down)
      let highest = max(lowest + 1, log10(positive.max() ?? 10).rounded(.up))
      low = pow(10, lowest)
      high = pow(10, highest)
      ticks = (Int(lowest)...Int(highest)).map { pow(10, Double($0)) }
    }
  }

  /// The place of a value; those beyond an end lie at it.
  func place(_ value: Double) -> Double {
    let share: Double
    switch kind {
    case .linear: share = (value - low) / (high - low)
    case .logarithmic: share = (log10(max(value, low)) - log10(low)) / (log10(high) - log10(low))
    }
    return start + min(1, max(0, share)) * (end - start)
  }

  /// A round step, 1, 2 or 5 times a power of ten, that divides the length into four to ten parts.
  static func step(for length: Double) -> Double {
    let power = pow(10, log10(length / 5).rounded(.down))
    for factor in [1.0, 2, 5] where length / (factor * power) <= 8 { return factor * power }
    return 10 * power
  }

  /// A tick's text: as many digits as its step needs.
  func text(of tick: Double) -> String {
    guard ticks.count > 1 else { return tick.text(digits: 0) }
    let step = kind == .linear ? ticks[1] - ticks[0] : tick
    let digits = step >= 1 ? 0 : Int((-log10(step)).rounded(.up))
    return tick.text(digits: digits)
  }
}
