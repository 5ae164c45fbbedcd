/// Where the methods that are used lie in the function tables of one engine. The tables of the
/// handles are arrays of words; a method is known by its word's number.
///
/// An engine's version number does not determine its tables (builds between releases exist), so a
/// layout also says how many methods each table has, and is used only where exactly that many words
/// in a row point into the engine's code. To support another engine, add a layout to ``known``.
struct EngineLayout: Sendable {
  /// Versions it is for.
  var versions: [Version]
  var connection: Table
  var session: Table
  var cursor: Table

  struct Version: Equatable, Sendable {
    var major: Int32
    var minor: Int32
    var patch: Int32
  }

  /// A handle's table: the word of its first method, how many follow, and the numbers of those used.
  struct Table: Sendable {
    var first: Int32
    var count: Int32
    var slots: [Method: Int32]
  }

  enum Method: Sendable {
    case close, reconfigure, home, openSession
    case openCursor, checkpoint
    case key, value, setKey, next, reset, searchNear
  }

  /// From wiredtiger.h of each release, which a test compares them with.
  static let known = [
    EngineLayout(
      versions: [Version(major: 3, minor: 2, patch: 1)],
      connection: Table(
        first: 0, count: 20, slots: [.close: 2, .reconfigure: 4, .home: 5, .openSession: 8]),
      session: Table(first: 2, count: 30, slots: [.close: 2, .openCursor: 5, .checkpoint: 27]),
      cursor: Table(
        first: 4, count: 20,
        slots: [
          .key: 4, .value: 5, .setKey: 6, .next: 10, .reset: 12, .searchNear: 14, .close: 20,
        ]))
  ]
}
