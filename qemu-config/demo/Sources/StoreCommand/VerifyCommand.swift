import ArgumentParser
import DocumentStore

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check every document and every table of a database that nobody has open.",
    discussion: """
      Exit codes: 0 all is well; 1 something is damaged or could not be read; 64 wrong flags.
      """)

  @OptionGroup var database: DatabaseArguments

  @Option(help: ArgumentHelp("WiredTiger's cache.", valueName: "MiB"))
  var cache = 256

  @Option(help: ArgumentHelp("How many threads read.", valueName: "n"))
  var threads = 2

  func validate() throws {
    guard (16...1_048_576).contains(cache) else {
      throw ValidationError("--cache takes MiB, from 16 to 1048576.")
    }
    guard (1...64).contains(threads) else {
      throw ValidationError("--threads takes a number from 1 to 64.")
    }
  }

  func run() throws {
    let options = DatabaseOptions(snappy: database.snappy, cacheMiB: cache)
    let opened = try Database(database.home, options)
    let store = try Store(opened)
    let verifier = Verifier(store, threads: threads, faults: FaultLog(), stop: StopFlag())
    let result = try verifier.verify()
    try opened.close()
    let check = try TableCheck(home: database.home, options).run()
    print(
      "documents=\(result.documents) index_entries=\(result.indexEntries) bad=\(result.bad) "
        + "tables=\(check.tables) failed=\(check.failed)")
    guard result.bad == 0, check.failed == 0 else { throw ExitCode.failure }
  }
}
