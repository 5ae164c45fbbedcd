import Glibc

/// A directory of its own for a test, removed with all that is in it.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    var template = Array("\(Self.root)/leafcutter-store-XXXXXX".utf8CString)
    // mkdtemp writes over the X in place.
    let made = unsafe mkdtemp(&template)
    precondition(unsafe made != nil, "the temporary directory can be written to")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    // Files and empty directories only, depth first, staying below the directory.
    unsafe nftw(path, { name, _, _, _ in unsafe remove(name!) }, 16, Int32(FTW_DEPTH.rawValue))
  }

  private static var root: String {
    // The result is copied at once.
    unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
  }
}
