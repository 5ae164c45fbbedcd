import Glibc
import Threads

/// Whoever ends the program leaves no guest, namespace or file behind.
public enum Interrupts {
  /// What a shell reports for a program that was interrupted.
  private static let exitCode: Int32 = 130

  /// Call it first of all: threads inherit the mask of the one that makes them.
  ///
  /// - Parameter name: of the program, for the line that says what happens.
  public static func cleanUpWhenReceived(as name: String) {
    TerminationSignals.block()
    TerminationSignals.whenReceived { _ in
      let line = Array("\(name): interrupted, cleaning up\n".utf8)
      // As many bytes as the array has, alive during the call.
      _ = unsafe write(STDERR_FILENO, line, line.count)
      Cleanup.run()
      exit(exitCode)
    }
  }
}
