import CWiredTigerStore

/// Reads WiredTiger's configuration strings (`a=1,b=(c=2)`) with WiredTiger's own parser.
struct ConfigurationText {
  private let text: String

  init(_ text: String) { self.text = text }

  /// The value of a name, or nil where it is not there; brackets of a group are kept.
  func value(_ name: String) throws(DatabaseError) -> String? {
    let action = "read the configuration '\(text)'"
    var copy = text
    // The parser and its items point into the text, which is alive until the parser is closed.
    let result: Result<String?, DatabaseError> = copy.withUTF8 { bytes in
      var parser: UnsafeMutablePointer<WT_CONFIG_PARSER>?
      let start = unsafe UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
      let opened = unsafe wiredtiger_config_parser_open(nil, start, bytes.count, &parser)
      guard opened == 0, let parser = unsafe parser else {
        return .failure(DatabaseError(action, code: opened))
      }
      defer { _ = unsafe parser.pointee.close(parser) }
      var item = unsafe WT_CONFIG_ITEM()
      let status = unsafe parser.pointee.get(parser, name, &item)
      if status == WT_NOTFOUND { return .success(nil) }
      guard status == 0 else { return .failure(DatabaseError(action, code: status)) }
      return .success(
        unsafe String(
          decoding: UnsafeRawBufferPointer(start: item.str, count: item.len), as: UTF8.self))
    }
    return try result.get()
  }

  /// The same for a name inside a group's value.
  func group(_ name: String) throws(DatabaseError) -> ConfigurationText? {
    guard let value = try value(name), value.count >= 2 else { return nil }
    return ConfigurationText(String(value.dropFirst().dropLast()))
  }
}
