import Glibc

/// The directory of a database.
public enum HomeDirectory {
  /// Makes the directory where it is missing.
  ///
  /// - Throws: ``SystemError``, also where a database is in it already.
  public static func makeEmpty(_ home: String) throws(SystemError) {
    // The paths are strings during the calls.
    guard unsafe mkdir(home, 0o755) == 0 || errno == EEXIST else {
      throw SystemError("make \(home)")
    }
    guard unsafe access("\(home)/WiredTiger", F_OK) != 0 else {
      throw SystemError("load into \(home), which holds a database already", code: EEXIST)
    }
  }

  /// The table files in it, by path and in order of their names.
  ///
  /// - Throws: ``SystemError`` where it cannot be read.
  public static func tableFiles(_ home: String) throws(SystemError) -> [String] {
    guard let directory = unsafe opendir(home) else { throw SystemError("read \(home)") }
    // The directory is open until the function returns, and each entry is good until the next one.
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.hasSuffix(".wt") { names.append("\(home)/\(name)") }
    }
    return names.sorted()
  }
}
