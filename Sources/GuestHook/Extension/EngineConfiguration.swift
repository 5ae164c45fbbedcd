/// WiredTiger's configuration strings, as its metadata holds them: `key=value` pairs with commas
/// between them, where a value may be quoted, with backslashes before what does not end it (`__config_next` in
/// src/config/config.c), or a list in parentheses.
struct EngineConfiguration {
  private let bytes: [UInt8]

  init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

  /// The pairs of the outermost level, in their order.
  var pairs: [(key: String, value: String)] {
    var result: [(key: String, value: String)] = []
    var start = 0
    var equals: Int?
    var depth = 0
    var quoted = false
    var escaped = false
    for position in 0...bytes.count {
      let byte = position < bytes.count ? bytes[position] : UInt8(ascii: ",")
      if quoted && position < bytes.count {
        if !escaped { quoted = byte != UInt8(ascii: "\"") }
        escaped = !escaped && byte == UInt8(ascii: "\\")
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): quoted = true
      case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
      case UInt8(ascii: "=") where depth == 0 && equals == nil: equals = position
      case UInt8(ascii: ",") where depth == 0 || position == bytes.count:
        if start < position {
          let key = text(start..<(equals ?? position))
          result.append((key, equals.map { text($0 + 1..<position) } ?? ""))
        }
        start = position + 1
        equals = nil
      default: break
      }
    }
    return result
  }

  /// The value of a key, or nil. The last one counts, as in the engine.
  subscript(key: String) -> String? { pairs.last { $0.key == key }?.value }

  /// The pairs inside a list value.
  static func list(_ value: String) -> EngineConfiguration {
    let isList = value.hasPrefix("(") && value.hasSuffix(")")
    return EngineConfiguration(isList ? value.dropFirst().dropLast() : value[...])
  }

  /// A number with WiredTiger's suffixes (B, K, M, G, T, P, and a B after them), in bytes.
  static func size(_ value: String) -> UInt64? {
    let digits = value.prefix { $0.isASCII && $0.isNumber }
    guard let number = UInt64(digits) else { return nil }
    let units: [String: UInt64] = ["": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50]
    var unit = value.dropFirst(digits.count).lowercased()
    if unit.count == 2 && unit.hasSuffix("b") { unit.removeLast() }
    guard let shift = units[unit] else { return nil }
    let (result, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : result
  }

  private func text(_ range: Range<Int>) -> String {
    var range = range
    if range.count >= 2, bytes[range.lowerBound] == UInt8(ascii: "\""),
      bytes[range.upperBound - 1] == UInt8(ascii: "\"")
    {
      range = range.lowerBound + 1..<range.upperBound - 1
    }
    return String(decoding: bytes[range], as: UTF8.self)
  }
}
