import Glibc

/// Whether the program was refused a table that it wants for itself (EBUSY), as it is while any cursor is
/// on it: to drop, rename, alter, salvage or verify. Leaves are read back for seconds, so the cursors
/// that do it leave their tables for a while then, and the program's next try succeeds.
///
/// The engine counts what it refused, and does not say why: the cursors may be the program's own. So
/// nobody stands aside for more than half of the time.
struct SchemaRefusals {
  /// How long tables are left alone, in nanoseconds.
  static let pause: UInt64 = 200_000_000
  /// Between two looks, which cost as much as those of ``SmallCache``.
  private static let interval: UInt64 = 100_000_000

  private let engine: Engine
  private var next: UInt64
  /// nil after a pause, of which the refusals were not for our cursors, and where statistics are off.
  private var before: UInt64?

  init(_ engine: Engine, now: UInt64) {
    self.engine = engine
    next = now + SchemaRefusals.interval
    before = try? engine.refusedSchemaChanges()
  }

  /// Asks the engine, when it is time to; true where its tables are to be left now.
  mutating func areNew(now: UInt64) -> Bool {
    guard now >= next else { return false }
    next = now + SchemaRefusals.interval
    let refused = try? engine.refusedSchemaChanges()
    let areNew = if let before, let refused { refused > before } else { false }
    before = areNew ? nil : refused
    if areNew { next = now + SchemaRefusals.pause + SchemaRefusals.interval }
    return areNew
  }
}

extension Engine {
  private static let refusals = [
    "session: table alter failed calls", "session: table drop failed calls",
    "session: table rename failed calls", "session: table salvage failed calls",
    "session: table verify failed calls",
  ]

  /// - Throws: ``EngineError`` with EINVAL where the program has statistics switched off.
  fileprivate func refusedSchemaChanges() throws(EngineError) -> UInt64 {
    try statistics(Engine.refusals).reduce(0) { $0 &+ ($1 ?? 0) }
  }
}
