import Glibc

/// `WIREDTIGER_CONFIG` overrides the program's own configuration name by name, so an `extensions` in it
/// would leave the store without snappy, and recovery needs snappy before any call could load it.
enum ExtensionsInEnvironment {
  private static let variable = "WIREDTIGER_CONFIG"

  /// Adds `snappy` to the extensions that the environment asks for, if it asks for any.
  static func keep(_ snappy: String) throws(DatabaseError) {
    // The result is copied before anybody could change the environment.
    guard let text = unsafe getenv(variable) else { return }
    let configuration = unsafe String(cString: text)
    guard let extensions = try ConfigurationText(configuration).value("extensions"),
      !extensions.contains(snappy)
    else { return }
    // The last value of a name counts. Called before the store has a second thread.
    let listed = extensions.drop { $0 == "[" || $0 == "(" }.prefix { $0 != "]" && $0 != ")" }
    let separator = listed.isEmpty ? "" : ","
    unsafe setenv(
      variable, "\(configuration),extensions=[\(listed)\(separator)\"\(snappy)\"]", 1)
  }
}
