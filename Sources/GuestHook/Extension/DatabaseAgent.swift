import CExtensionShims
import Glibc
import HookLink

/// One open database: what its threads share.
final class DatabaseAgent: Sendable {
  let engine: Engine
  let socket: String
  /// Absolute path of the database's directory.
  let home: String
  let hold: HoldLibrary?
  /// Why there is none.
  let holdAbsence: HoldLibrary.Absence?
  /// The program has its connection: `wiredtiger_open` is over.
  let opened = Signal()
  /// The connection is about to close: stop using the engine.
  let stop = Signal()
  /// The methods that were in the connection's table before ours.
  let methods = Locked<Methods>(Methods())
  /// nil as long as nobody has asked.
  private let kernelOffer = Locked<KernelOffer?>(nil)
  private let engineUseEnded = Signal()
  private let process = getpid()

  /// Addresses of functions, which any thread may call.
  @safe struct Methods: @unchecked Sendable {
    var close: ConnectionMethod?
    var rollbackToStable: ConnectionMethod?
    var openSession: OpenSession?
    /// What is there in its place.
    var ownOpenSession: UnsafeMutableRawPointer?
  }

  init(engine: Engine, socket: String) {
    self.engine = engine
    self.socket = socket
    do throws(HoldLibrary.Absence) {
      hold = try HoldLibrary()
      holdAbsence = nil
    } catch {
      hold = nil
      holdAbsence = error
    }
    let path = engine.home
    // realpath allocates the text, which is ours to free.
    let absolute = unsafe realpath(path, nil)
    home = unsafe absolute.map { unsafe String(cString: $0) } ?? path
    unsafe free(absolute)
  }

  /// Starts the control thread; false where there is none to be had.
  func start() -> Bool {
    let started = startThread("leafcutter") { [self] in
      let control = DatabaseControl(self)
      control.run()
      engineUseEnded.raise()
      control.runWithoutEngine()
    }
    if !started { engineUseEnded.raise() }
    return started
  }

  /// Returns when no thread of ours uses the engine any more. What takes longest to stop is a
  /// checkpoint, which the closing database would have to wait for as well.
  func endEngineUse() {
    // A forked child has the connection, and none of the threads.
    guard getpid() == process else { return }
    stop.raise()
    engineUseEnded.wait()
  }

  /// Asks the kernel for what a hold takes, where the allocator allows one, until it offers that: settings change. A
  /// process whose system calls are filtered asks once, because the filter stays (``KernelOffer``).
  func askKernel() {
    guard let hold, hold.obstacle == nil else { return }
    if let offer = kernelOffer.withLock({ $0 }) {
      guard offer.obstacle != nil, !KernelOffer.isFiltered else { return }
    }
    let offer = KernelOffer(to: hold)
    kernelOffer.withLock { $0 = offer }
  }

  /// Why frames cannot be held, as far as is known.
  var obstacle: String? { hold?.obstacle ?? kernelOffer.withLock { $0?.obstacle } }

  var registration: LocalMessage.Register {
    var notes: [String] = []
    if let holdAbsence {
      notes.append(
        """
        \(holdAbsence.reason): the cache can be shrunk, but its leaves are not listed and its frames \
        not held
        """)
    }
    let offer = kernelOffer.withLock { $0 }
    if let obstacle {
      notes.append(obstacle)
    } else if let limitation = offer?.limitation {
      notes.append(limitation)
    }
    return LocalMessage.Register(
      home: home, engine: engine.version, layout: engine.layout,
      allocator: hold?.allocator ?? "", listsLeaves: hold != nil,
      holdsFrames: hold != nil && obstacle == nil, notes: notes)
  }
}
