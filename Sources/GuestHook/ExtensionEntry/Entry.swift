import WiredTigerExtension

/// Where WiredTiger enters the library (`extensions=[/path/libleafcutter_wt.so]`; wiredtiger_ext.h).
@c(wiredtiger_extension_init)
public func extensionInit(
  connection: UnsafeMutableRawPointer?, configuration: UnsafeMutableRawPointer?
) -> Int32 {
  // The engine's own connection, which is being opened.
  if let connection = unsafe connection { unsafe Extension.attach(to: connection) }
  return 0
}

/// WiredTiger calls this when it has closed everything else.
@c(wiredtiger_extension_terminate)
public func extensionTerminate(connection: UnsafeMutableRawPointer?) -> Int32 {
  if let connection = unsafe connection { unsafe Extension.detach(from: connection) }
  return 0
}
