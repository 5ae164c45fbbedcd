import Foundation
import Testing

/// Engines are linked into libraries, into programs that move and into programs that do not.
@Suite struct MethodNameTests {
  /// Methods that note their name as the engine's do: in memory, or in a register for another function.
  private static let source = """
    #include "extension_shims.h"
    #include <stdio.h>
    struct session { const char *name, *more; };
    __attribute__((noinline)) void take(struct session *session, const char *name) { session->more = name; }
    __attribute__((noinline)) int next(struct session *session) { session->name = "WT_CURSOR.next"; return 1; }
    __attribute__((noinline)) int reset(struct session *session) { take(session, "WT_CURSOR.reset"); return 2; }
    __attribute__((noinline)) int other(struct session *session) { return session->name != NULL; }
    int main(void) {
      struct session session = {"", ""};
      int called = next(&session) + reset(&session) + other(&session);
      printf("%d %d%d%d %d%d%d %d%d%d\\n", called,
             leafcutter_names_itself((void *)next, "WT_CURSOR.next"),
             leafcutter_names_itself((void *)next, "WT_CURSOR.reset"),
             leafcutter_names_any((void *)next, "WT_CURSOR."),
             leafcutter_names_itself((void *)reset, "WT_CURSOR.reset"),
             leafcutter_names_itself((void *)reset, "WT_CURSOR.next"),
             leafcutter_names_any((void *)reset, "WT_CURSOR."),
             leafcutter_names_itself((void *)other, "WT_CURSOR.next"),
             leafcutter_names_itself((void *)other, "WT_CURSOR.reset"),
             leafcutter_names_any((void *)other, "WT_CURSOR."));
    }
    """

  @Test(arguments: ["-O0", "-O2"], [["-fPIE", "-pie"], ["-fno-PIE", "-no-pie"]])
  func aMethodIsKnownByItsNameWhereverTheProgramIsLinkedTo(
    optimization: String, linking: [String]
  ) throws {
    let directory = try DatabaseProcess.makeDirectory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let program = directory + "/methods"
    let shims = TestEngine.package + "/Sources/GuestHook/ExtensionShims"
    try MethodNameTests.source.write(toFile: program + ".c", atomically: true, encoding: .utf8)
    _ = try output(
      ["clang", "-D_GNU_SOURCE", optimization] + linking
        + ["-I", shims + "/include", shims + "/method_names.c", program + ".c", "-o", program])
    #expect(try output([program]) == "4 101 101 000\n")
  }

  private func output(_ command: [String]) throws -> String {
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: output, as: UTF8.self)
  }
}
