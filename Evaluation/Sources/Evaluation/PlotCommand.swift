import ArgumentParser
import EvaluationReport
import FoundationEssentials
import Lab
import StreamProxy

struct PlotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot",
    abstract: "Draw what was measured, and put its tables into a document.",
    discussion: """
      In the document each table stands between <!-- NAME --> and <!-- end NAME -->. Names are machine, \
      goals, sessions, runs, excluded, memory, total, bytes, downtime, costs, workloads and service; those that the \
      document does not have are left out. A drawing stands between <!-- drawing NAME --> and \
      <!-- end drawing NAME --> where there was anything to draw: total, bytes, downtime, total-LINK, \
      costs, memory, workloads, throughput, latency. Files of these names in the directory for which there \
      is nothing to draw any more are removed.

      Runs of one experiment under different conditions, or on different machines, are refused.
      """)

  @Argument(
    help:
      "Raw data of `run`, each experiment's of one machine; the runs of all files are taken together."
  )
  var files: [String]
  @Option(help: "The directory for the drawings.")
  var directory: String
  @Option(help: "The document for the tables.")
  var document: String?

  func run() throws {
    do throws(LabError) {
      try draw()
    } catch {
      Terminal.complain("leafcutter-evaluation: \(error)")
      throw ExitCode.failure
    }
  }

  private func draw() throws(LabError) {
    guard let first = files.first else { return }
    var record = try EvaluationRecord(file: first)
    for file in files.dropFirst() {
      try record.add(try EvaluationRecord(file: file), from: file)
    }
    let presentation = try Presentation(record)
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw LabError("cannot make the directory \(directory): \(error)")
    }
    for drawing in presentation.drawings {
      try write(drawing.image.file, to: "\(directory)/\(drawing.name).svg")
    }
    try removeDrawings(besides: Set(presentation.drawings.map(\.name)))
    for goal in Goal.all { print(goal.line(in: record)) }
    guard let document else { return }
    guard let data = FileManager.default.contents(atPath: document) else {
      throw LabError("the document \(document) cannot be read")
    }
    var text = MarkedText(String(decoding: data, as: UTF8.self))
    let names = text.names
    for part in presentation.parts where names.contains(part.name) {
      try text.set(part.name, to: part.text)
    }
    try text.setDrawings(
      presentation.drawings, in: PlotCommand.path(to: directory, from: document))
    try write(text.text, to: document)
  }

  /// Removes what earlier raw data had drawings of: nothing points to it, and it would pass for measured.
  private func removeDrawings(besides written: Set<String>) throws(LabError) {
    let ending = ".svg"
    do {
      for file in try FileManager.default.contentsOfDirectory(atPath: directory).sorted() {
        let name = String(file.dropLast(ending.count))
        guard file.hasSuffix(ending), Presentation.Drawing.canBeNamed(name), !written.contains(name)
        else { continue }
        let path = "\(directory)/\(file)"
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        guard attributes[.type] as? FileAttributeType == .typeRegular else { continue }
        try FileManager.default.removeItem(atPath: path)
        print("removed \(path): the raw data has nothing for it")
      }
    } catch {
      throw LabError("cannot remove drawings from \(directory): \(error)")
    }
  }

  /// How a directory is reached from a document.
  static func path(to directory: String, from document: String) -> String {
    func components(_ path: String) -> [Substring] {
      URL(filePath: path).standardized.path().split(separator: "/")
    }
    let target = components(directory)
    let start = components(document).dropLast()
    let common = zip(target, start).prefix { $0 == $1 }.count
    let up = Array(repeating: Substring(".."), count: start.count - common)
    return (up + target.dropFirst(common)).joined(separator: "/")
  }

  private func write(_ text: String, to path: String) throws(LabError) {
    do {
      try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw LabError("cannot write \(path): \(error)")
    }
  }
}
