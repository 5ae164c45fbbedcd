import Foundation
import Testing

/// The WiredTiger that the test database is linked with.
enum TestEngine: String, CaseIterable, CustomTestStringConvertible {
  /// The distribution's, which is also the one whose headers are installed.
  case debian = "3.2.1"
  /// What `make setup` builds into the state folder.
  case newer = "11.3.1"

  var testDescription: String { "WiredTiger \(rawValue)" }

  /// Those that are there.
  static var present: [TestEngine] { allCases.filter(\.isPresent) }

  /// Whether `make setup` has been run, where that is needed.
  var isPresent: Bool {
    self == .debian || FileManager.default.fileExists(atPath: directory + "/libwiredtiger.so")
  }

  /// The test database's path.
  func program() throws -> String {
    self == .debian
      ? DatabaseProcess.products + "/ExtensionTestDatabase" : try TestEngine.newerProgram.get()
  }

  /// The engine's library.
  var library: String {
    self == .debian ? "libwiredtiger.so.0" : directory + "/libwiredtiger.so"
  }

  static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

  private var directory: String {
    let state = ProcessInfo.processInfo.environment["LEAFCUTTER_STATE"]
    return (state ?? TestEngine.package + "/.lab") + "/wiredtiger-" + rawValue
  }

  /// SwiftPM cannot build a target against a header outside of the package, so this is done here.
  private static let newerProgram = Result<String, any Error> {
    let directory = newer.directory
    let program = DatabaseProcess.products + "/ExtensionTestDatabase-" + newer.rawValue
    let sources = package + "/Tests/ExtensionTestDatabase"
    // Not in a guest, to which only what is built has been brought (Tests/databases-in-guest).
    guard FileManager.default.fileExists(atPath: sources) else { return program }
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    compiler.arguments =
      ["clang", "-D_GNU_SOURCE", "-O1", "-rdynamic", "-pthread", "-I", directory]
      + (try FileManager.default.contentsOfDirectory(atPath: sources))
      .filter { $0.hasSuffix(".c") }.map { sources + "/" + $0 }
      + ["-o", program, "-L", directory, "-lwiredtiger", "-Wl,-rpath," + directory]
    try compiler.run()
    compiler.waitUntilExit()
    guard compiler.terminationStatus == 0 else {
      throw DatabaseComplaint(line: "the test database does not build with \(directory)")
    }
    return program
  }
}

/// What serves the test database's malloc.
enum TestAllocator: String, CaseIterable {
  case jemalloc, tcmalloc, glibc
  /// jemalloc is there, and serves nobody.
  case besideJemalloc

  static let allCases: [TestAllocator] = [.jemalloc, .tcmalloc, .glibc]

  /// To be preloaded.
  var library: String? {
    switch self {
    case .jemalloc: "libjemalloc.so.2"
    case .tcmalloc: "libtcmalloc_minimal.so.4"
    case .glibc: nil
    case .besideJemalloc: "libc.so.6 libjemalloc.so.2"
    }
  }
}

extension Bundle {
  /// Where the build put the libraries and the test database: next to the test bundle.
  static var testProducts: String {
    var path = CommandLine.arguments[0]
    if let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) {
      path = bundle
    }
    return (path as NSString).deletingLastPathComponent
  }
}
