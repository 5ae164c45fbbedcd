import Glibc

/// One line on standard error, in one write so that threads do not mix theirs.
public func logLine(_ text: String) {
  let line = "leafcutter-store: \(text)\n"
  var copy = line
  copy.withUTF8 { bytes in
    // The bytes are alive during the call; there is nobody to tell where standard error is closed.
    _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count)
  }
}
