/// Where the methods that are used lie in the function tables of one engine. The tables of the
/// handles are arrays of words; a method is known by its word's number.
///
/// An engine's version number does not determine its tables (builds between releases exist), so an
/// engine is known by the tables themselves (``Table/matches(_:except:)``). Those of another are read from
/// its handles (EngineLayout+Reading.swift).
struct EngineLayout: Sendable {
  /// The release it was read from, for people.
  var name: String
  var connection: Table
  var session: Table
  var cursor: Table

  /// The tables of a session and of a cursor, in which the handles of one engine are alike.
  struct Handles: Equatable, Sendable {
    var session: Table?
    var cursor: Table?
  }

  /// A handle's table: the word of its first method, how many follow, and the numbers of those used.
  struct Table: Equatable, Sendable {
    /// What the engine calls the handle.
    var handle: String
    var first: Int32
    var count: Int32
    var slots: [Method: Int32]
  }

  /// The engine's names for its methods.
  enum Method: String, Sendable {
    case close, reconfigure
    case home = "get_home"
    case openSession = "open_session"
    case rollbackToStable = "rollback_to_stable"
    case openCursor = "open_cursor"
    case checkpoint
    case key = "get_key"
    case value = "get_value"
    case setKey = "set_key"
    case next, reset
    case searchNear = "search_near"

    /// The four others are a few instructions, or another's; they are known by their neighbours, which
    /// a layout that is wrong for them would have elsewhere.
    var namesItself: Bool {
      switch self {
      case .home, .key, .value, .setKey: false
      default: true
      }
    }
  }

  /// What an engine's tables are of that are none of these.
  static let own = "its own"

  /// From wiredtiger.h of each release, which a test compares them with.
  static let known = [
    EngineLayout(
      name: "3.2.1",
      connection: Table(
        handle: "WT_CONNECTION", first: 0, count: 20,
        slots: [.close: 2, .reconfigure: 4, .home: 5, .openSession: 8, .rollbackToStable: 11]),
      session: Table(
        handle: "WT_SESSION", first: 2, count: 30,
        slots: [.close: 2, .openCursor: 5, .checkpoint: 27]),
      cursor: Table(
        handle: "WT_CURSOR", first: 4, count: 20,
        slots: [
          .key: 4, .value: 5, .setKey: 6, .next: 10, .reset: 12, .searchNear: 14, .close: 20,
        ])),
    EngineLayout(
      name: "11.3.1",
      connection: Table(
        handle: "WT_CONNECTION", first: 0, count: 21,
        slots: [.close: 0, .reconfigure: 2, .home: 3, .openSession: 7, .rollbackToStable: 10]),
      session: Table(
        handle: "WT_SESSION", first: 2, count: 29,
        slots: [.close: 2, .openCursor: 5, .checkpoint: 26]),
      cursor: Table(
        handle: "WT_CURSOR", first: 4, count: 24,
        slots: [
          .key: 4, .value: 5, .setKey: 7, .next: 11, .reset: 13, .searchNear: 15, .close: 22,
        ])),
  ]
}
