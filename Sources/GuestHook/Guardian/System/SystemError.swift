import Glibc

/// A system call that failed, with what it was about.
public struct SystemError: Error, Equatable, Sendable {
  /// What was being done, e.g. "listen on /run/leafcutter/guardian.sock".
  public var action: String
  public var code: Int32

  public init(_ action: String, code: Int32 = errno) {
    self.action = action
    self.code = code
  }
}

extension SystemError: CustomStringConvertible {
  public var description: String {
    "cannot \(action): \(SystemError.reason(code))"
  }

  /// What an errno value means.
  static func reason(_ code: Int32) -> String {
    // strerror's buffer is per thread in glibc since 2.32.
    unsafe String(cString: strerror(code))
  }
}
