import Foundation
import Glibc
import Testing

@testable import StreamProxy

/// `leafcutter proxy` for a scene, as a process of its own.
final class ProxyProgram {
  private let process = Process()
  private let log: String

  /// Starts it and waits until it listens, or has ended.
  ///
  /// - Parameters:
  ///   - options: beside the addresses, which are the scene's.
  ///   - launcher: a program that starts it, and that one's arguments.
  ///   - output: where it writes what it has to say; nil for ``words``.
  init(
    _ scene: Scene, _ options: [String], through launcher: [String] = [],
    to output: FileHandle? = nil
  ) throws {
    log = scene.folder + "/log"
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    // Who runs the tests behind nohup or in the background of a script has signals ignored.
    let command =
      ["/usr/bin/env", "--default-signal=HUP,INT"] + launcher + [
        ProxyProgram.products.appendingPathComponent("leafcutter").path, "proxy", "--listen",
        "\(scene.options.listen)", "--connect", "\(scene.options.connect)", "--qmp",
        "\(scene.options.qmp)",
      ] + options
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.standardError = output ?? FileHandle(forWritingAtPath: log)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    #expect(
      soon {
        self.words.contains("waiting for the source") || !self.isRunning
          || output != nil && UnixSocketList.hasListener(at: scene.folder + "/src")
      }, "\(words)")
  }

  var words: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }
  var isRunning: Bool { process.isRunning }

  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// nil where it goes on, or was ended by a signal.
  func awaitExit() -> Int32? {
    guard soon(within: .seconds(20), { !self.process.isRunning }),
      process.terminationReason == .exit
    else { return nil }
    return process.terminationStatus
  }

  /// Has the source send all of `stream` but the `sent` bytes that it has sent, and end well; expects that it is
  /// carried to its end.
  func expectCompletion(_ scene: Scene, of source: Socket, _ stream: [UInt8], sent: Int) throws {
    try source.write(Array(stream[sent...]))
    #expect(scene.destination?.awaitBytes(stream.count) == true)
    scene.qmp.migration(is: "completed")
    source.shutDownWriting()
    #expect(source.awaitEnd())
    #expect(awaitExit() == ExitStatus.completed, "\(words)")
  }

  func end() {
    if process.isRunning { send(SIGKILL) }
    process.waitUntilExit()
  }

  /// Where the build put the program: next to the test bundle.
  private static let products: URL = {
    let path = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: path).deletingLastPathComponent()
  }()
}
