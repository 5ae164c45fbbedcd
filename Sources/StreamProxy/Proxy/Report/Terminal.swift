import Glibc

/// Standard error, unbuffered: for what is shown to the operator and is no log.
public enum Terminal {
  public static var isPresent: Bool { isatty(STDERR_FILENO) == 1 }

  public static func write(_ text: String) {
    // The bytes are alive during the call; a terminal that is gone is no error.
    _ = unsafe Array(text.utf8).withUnsafeBytes { bytes in
      unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
    }
  }
}
