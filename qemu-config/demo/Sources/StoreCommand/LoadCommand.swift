import ArgumentParser
import DocumentStore
import Glibc

struct LoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load",
    abstract: "Make a database of documents that can be computed from a seed.")

  @OptionGroup var database: DatabaseArguments

  @Option(help: ArgumentHelp("How many documents.", valueName: "n"))
  var documents: Int64

  @Option(help: ArgumentHelp("Size of a document as BSON.", valueName: "bytes"))
  var documentBytes = 1000

  @Option(help: ArgumentHelp("Decides what the documents contain.", valueName: "number"))
  var seed: UInt64 = 1

  @Option(help: ArgumentHelp("WiredTiger's cache while loading.", valueName: "MiB"))
  var cache = 256

  func validate() throws {
    guard (1...1_000_000_000).contains(documents) else {
      throw ValidationError("--documents takes a number from 1 to 1000000000.")
    }
    let allowed = CollectionShape.documentBytesAllowed
    guard allowed.contains(documentBytes) else {
      throw ValidationError(
        "--document-bytes takes a number from \(allowed.lowerBound) to \(allowed.upperBound).")
    }
    guard (16...1_048_576).contains(cache) else {
      throw ValidationError("--cache takes MiB, from 16 to 1048576.")
    }
  }

  func run() throws {
    try HomeDirectory.makeEmpty(database.home)
    let began = MonotonicClock.now
    var options = DatabaseOptions(snappy: database.snappy, cacheMiB: cache)
    options.creates = true
    let opened = try Database(database.home, options)
    let shape = CollectionShape(documents: documents, documentBytes: documentBytes, seed: seed)
    try Loader.load(opened, shape)
    try opened.close()
    let milliseconds = (MonotonicClock.now - began) / 1_000_000
    print("loaded \(documents) documents of \(documentBytes) bytes in \(milliseconds) ms")
  }
}
