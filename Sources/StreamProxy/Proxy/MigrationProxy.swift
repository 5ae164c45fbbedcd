import Glibc
import HookLink
import Logging
import PageFilter
import Synchronization

/// One migration through the proxy, from the listening socket to the summary.
///
/// Control runs as Swift tasks; each channel has a blocking thread of its own. Who owns what:
/// the main channel's thread owns the editor, the buffers and the judgement; the hook link's thread
/// obeys the guest under the link's lock; the QMP client's thread keeps the witness; this type owns
/// their lifetimes.
public final class MigrationProxy: Sendable {
  public struct Options: Sendable {
    public var listen: SocketAddress
    public var connect: SocketAddress
    public var qmp: SocketAddress
    /// nil passes the stream on untouched.
    public var hook: SocketAddress?
    public var prepareTimeout = Duration.seconds(60)
    public var markBound = Duration.seconds(10)
    /// How long QMP may take to report the guest's STOP once the end of RAM has arrived.
    public var stopTimeout = Duration.seconds(10)
    public var leaveSettings = false
    public var showsProgressLine = false

    public init(listen: SocketAddress, connect: SocketAddress, qmp: SocketAddress) {
      self.listen = listen
      self.connect = connect
      self.qmp = qmp
    }
  }

  /// SO_RCVBUF of the source's connection: part of what QEMU takes for sent.
  private static let receiveBuffer: Int32 = 128 * 1024

  private let options: Options
  private let logger: Logger
  private let listener: Listener
  private let qmp: QMPClient
  private let hook: HookConnection?
  private let setup: MigrationSetup

  /// Opens everything that a migration will need, and changes nothing that cannot be put back.
  ///
  /// - Throws: an error that says in one sentence what cannot be used.
  public init(_ options: Options, logger: Logger) throws {
    self.options = options
    self.logger = logger
    qmp = try QMPClient.connect(to: options.qmp)
    hook = try options.hook.map { address in
      HookConnection(try Socket.connect(to: address), logger: logger)
    }
    listener = try Listener(options.listen, receiveBuffer: MigrationProxy.receiveBuffer)
    setup = MigrationSetup(qmp, logger: logger)
  }
}
