import Glibc

/// A system call that failed, with what it was about.
public struct SystemError: Error, Equatable, Sendable {
  /// What was being done, e.g. "listen on tcp:127.0.0.1:4444".
  public var action: String
  /// The errno value, or nil where somebody else spoke.
  public var code: Int32?
  public var text: String

  public init(_ action: String, code: Int32 = errno) {
    self.action = action
    self.code = code
    // strerror's buffer is per thread in glibc since 2.32.
    self.text = unsafe String(cString: strerror(code))
  }

  /// Where it is not the kernel that says why.
  init(_ action: String, because text: String) {
    self.action = action
    self.code = nil
    self.text = text
  }

  init(_ action: String, resolver: Int32) {
    self.action = action
    self.code = resolver == EAI_SYSTEM ? errno : nil
    // gai_strerror returns static text.
    self.text = unsafe String(cString: gai_strerror(resolver))
  }
}

extension SystemError: CustomStringConvertible {
  public var description: String { "cannot \(action): \(text)" }
}
