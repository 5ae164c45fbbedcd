import Glibc

/// What the file system of a path has free, in bytes; nil where it does not say so, or says what no disk has.
public func freeBytes(onFileSystemOf path: String) -> UInt64? {
  var about = statvfs()
  // The path and the structure are alive during the call.
  guard unsafe statvfs(path, &about) == 0 else { return nil }
  // A file system may say anything (FUSE, over a network).
  let (free, overflows) = UInt64(about.f_bavail).multipliedReportingOverflow(
    by: UInt64(about.f_frsize))
  return overflows ? nil : free
}
