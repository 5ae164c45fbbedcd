import CExtensionShims
import Glibc
import HookLink

/// What the library's two entry points do (Sources/GuestHook/ExtensionEntry).
public enum Extension {
  /// Begins to serve the database of a connection that is being opened. It never keeps a database
  /// from opening: where it cannot work, it says so on standard error and does nothing.
  ///
  /// - Parameter connection: the WT_CONNECTION that WiredTiger hands to an extension.
  public static func attach(to connection: UnsafeMutableRawPointer) {
    do throws(UnknownEngine) {
      let engine = unsafe try Engine(connection: connection)
      // The environment is not changed by a program that opens its database.
      let path = unsafe getenv("LEAFCUTTER_SOCKET").map { unsafe String(cString: $0) }
      let agent = DatabaseAgent(engine: engine, socket: path ?? LocalMessage.defaultSocket)
      let isNew = databases.withLock { databases in
        if databases[engine.key] != nil { return false }
        databases[engine.key] = agent
        return true
      }
      guard isNew else { return }
      agent.takeOverMethods()
      if !agent.start() {
        complain("no thread is to be had; restart the database to use it with Leafcutter")
      }
    } catch {
      complain(error.description)
    }
  }

  /// Ends the use of a connection that has been closed. In the ordinary case it has ended before, in
  /// `connection->close`; not so where the database never finished opening.
  public static func detach(from connection: UnsafeMutableRawPointer) {
    unsafe takeAgent(connection)?.endEngineUse()
  }
}

/// The agents of this process's open databases, by the address of their connection.
private let databases = Locked<[UInt: DatabaseAgent]>([:])

private func takeAgent(_ connection: UnsafeMutableRawPointer) -> DatabaseAgent? {
  let key = UInt(bitPattern: connection)
  return databases.withLock { $0.removeValue(forKey: key) }
}

private func complain(_ text: String) {
  let line = Array("leafcutter: \(text)\n".utf8)
  // The array is alive during the call. There is no handle yet through which the engine would log.
  _ = unsafe write(STDERR_FILENO, line, line.count)
}

extension Engine {
  var key: UInt { unsafe UInt(bitPattern: connection) }

  /// Puts a function into the connection's table and returns the one that was there.
  func replace(
    _ method: EngineLayout.Method, by function: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer? {
    guard let slot = table.slots[method] else { return nil }
    let original = unsafe leafcutter_slot(connection, slot)
    unsafe leafcutter_set_slot(connection, slot, function)
    return unsafe original
  }
}

/// `close` and `rollback_to_stable`.
typealias ConnectionMethod =
  @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?) -> Int32
typealias OpenSession =
  @convention(c) (
    UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafePointer<CChar>?,
    UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) -> Int32

extension DatabaseAgent {
  /// The engine tells an extension neither when the database is open nor that it begins to close, and
  /// both matter: before, there is nothing to ask it, and while it closes, its sessions go away under
  /// whoever uses them. Both are calls of the program through the connection's table, so two words of
  /// that table lead here first, and a third that must not meet what we do (``RollbackGate``).
  fileprivate func takeOverMethods() {
    // The closures pass on what the program gives the engine's own functions, which stay where they are for as long
    // as the engine is mapped.
    let close: ConnectionMethod = { connection, configuration in
      guard let connection = unsafe connection, let agent = unsafe takeAgent(connection),
        let original = unsafe agent.methods.withLock({ unsafe $0.close })
      else { return EINVAL }
      agent.endEngineUse()
      return unsafe original(connection, configuration)
    }
    let rollback: ConnectionMethod = { connection, configuration in
      let key = UInt(bitPattern: connection)
      guard let agent = databases.withLock({ $0[key] }),
        let original = unsafe agent.methods.withLock({ unsafe $0.rollbackToStable })
      else { return EINVAL }
      return agent.engine.rollbackGate.close { unsafe original(connection, configuration) }
    }
    let openSession: OpenSession = { connection, handler, configuration, session in
      let key = UInt(bitPattern: connection)
      guard let agent = databases.withLock({ $0[key] }),
        let original = unsafe agent.methods.withLock({ unsafe $0.openSession })
      else { return EINVAL }
      let code = unsafe original(connection, handler, configuration, session)
      if code == 0, unsafe agent.engine.isOpen(original) {
        agent.opened.raise()
        agent.giveBackOpenSession()
      }
      return code
    }
    // The types are those of wiredtiger.h; a word of the table holds a function's address.
    methods.withLock {
      unsafe $0.close = unsafe unsafeBitCast(
        engine.replace(.close, by: unsafeBitCast(close, to: UnsafeMutableRawPointer.self)),
        to: ConnectionMethod?.self)
      unsafe $0.rollbackToStable = unsafe unsafeBitCast(
        engine.replace(
          .rollbackToStable, by: unsafeBitCast(rollback, to: UnsafeMutableRawPointer.self)),
        to: ConnectionMethod?.self)
      let ours = unsafe unsafeBitCast(openSession, to: UnsafeMutableRawPointer.self)
      unsafe $0.ownOpenSession = unsafe ours
      unsafe $0.openSession = unsafe unsafeBitCast(
        engine.replace(.openSession, by: ours), to: OpenSession?.self)
    }
  }

  /// Puts the engine's own `open_session` back: ours only had to notice that the database is open. A thread that is
  /// inside ours still finds the engine's. Where another extension has put a function of its own in front of
  /// ours, the table is left alone.
  private func giveBackOpenSession() {
    methods.withLock {
      guard let slot = engine.table.slots[.openSession],
        let original = unsafe $0.openSession,
        unsafe leafcutter_slot(engine.connection, slot) == $0.ownOpenSession
      else { return }
      _ = unsafe engine.replace(
        .openSession, by: unsafeBitCast(original, to: UnsafeMutableRawPointer.self))
    }
  }
}
