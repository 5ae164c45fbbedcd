import FoundationEssentials

/// A disk image with a loaded database. Loading takes seconds on the host and would take minutes in an
/// emulated guest, so it is done there once and kept; every run works on a copy.
public struct GuestImage: Sendable {
  public struct Contents: Sendable {
    public var documents: Int
    /// Bytes of one document.
    public var documentSize: Int
    public var seed: Int

    public init(documents: Int, documentSize: Int = 1000, seed: Int = 1) {
      self.documents = documents
      self.documentSize = documentSize
      self.seed = seed
    }
  }

  public let path: String

  /// Takes the kept image with these contents, or makes it: `leafcutter-store load`, then
  /// `mke2fs -d`, which puts a directory's files into a file system without mounting it.
  ///
  /// - Parameters:
  ///   - state: the directory in which images are kept.
  ///   - store: the program `leafcutter-store`; an image older than it is made again.
  public static func prepared(
    _ contents: Contents, store: String, state: String, files: LabFiles,
    progress: (String) -> Void
  ) throws(LabError) -> GuestImage {
    let directory = "\(state)/images"
    try LabFiles.makeDirectory(directory)
    let path = "\(directory)/\(contents.documents)x\(contents.documentSize)-\(contents.seed).img"
    if isNewer(path, than: store) { return GuestImage(path: path) }

    progress("loading \(contents.documents) documents of \(contents.documentSize) bytes")
    let home = "\(files.scratch)/load/db"
    try LabFiles.makeDirectory(home)
    defer { try? FileManager.default.removeItem(atPath: "\(files.scratch)/load") }
    try ChildProcess.run(
      "leafcutter-store load",
      [store, "load", "--home", home, "--documents", "\(contents.documents)"]
        + ["--document-bytes", "\(contents.documentSize)", "--seed", "\(contents.seed)"],
      log: "\(files.logs)/load.log", timeout: 600)

    progress("putting the database into an image")
    // Room for the journal, the manifest and what updates add: twice the database and a bit.
    let size = try sizeInMegabytes(ofFilesIn: home) * 2 + 512
    let unfinished = "\(files.scratch)/image"
    try ChildProcess.run(
      "mke2fs",
      ["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", "\(files.scratch)/load"]
        + [unfinished, "\(size)M"],
      log: "\(files.logs)/mke2fs.log", timeout: 600)
    try move(unfinished, to: path)
    return GuestImage(path: path)
  }

  /// A copy for one run, which shares blocks with the original where the file system can. It is on the disk
  /// when the run begins, and not written there during it.
  public func copy(to path: String, files: LabFiles) throws(LabError) -> GuestImage {
    try ChildProcess.run(
      "cp", ["cp", "--reflink=auto", "--sparse=always", self.path, path],
      log: "\(files.logs)/cp.log", timeout: 600)
    try ChildProcess.run("sync", ["sync", path], log: "\(files.logs)/cp.log", timeout: 600)
    return GuestImage(path: path)
  }

  public func remove() { try? FileManager.default.removeItem(atPath: path) }

  private static func isNewer(_ path: String, than other: String) -> Bool {
    func date(_ path: String) -> Date? {
      try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }
    guard let first = date(path), let second = date(other) else { return false }
    return first > second
  }

  private static func sizeInMegabytes(ofFilesIn directory: String) throws(LabError) -> Int {
    do {
      let names = try FileManager.default.contentsOfDirectory(atPath: directory)
      let sizes = try names.map { name -> Int in
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")
        // Which integer type it is differs between versions of Foundation.
        return (attributes[.size] as? any BinaryInteger).map { Int(clamping: $0) } ?? 0
      }
      return sizes.reduce(0, +) >> 20
    } catch {
      throw LabError("cannot read the database's directory \(directory): \(error)")
    }
  }

  private static func move(_ path: String, to target: String) throws(LabError) {
    do {
      try? FileManager.default.removeItem(atPath: target)
      try FileManager.default.moveItem(atPath: path, toPath: target)
    } catch {
      throw LabError("cannot move the image to \(target): \(error)")
    }
  }
}
