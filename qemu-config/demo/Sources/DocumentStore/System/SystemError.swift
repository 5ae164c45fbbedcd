import Glibc

/// A system call that failed, with what it was about.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was being done, e.g. "open /dev/vport1p1".
  public let action: String
  public let text: String

  init(_ action: String, code: Int32 = errno) {
    self.action = action
    // strerror's buffer is per thread in glibc since 2.32.
    text = unsafe String(cString: strerror(code))
  }

  public var description: String { "cannot \(action): \(text)" }
}
