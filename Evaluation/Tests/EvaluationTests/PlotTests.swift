import ArgumentParser
import FoundationEssentials
import Lab
import Testing

@testable import EvaluationReport
@testable import leafcutter_evaluation

@Suite("Drawing what was measured")
struct PlotTests {
  /// A directory for the test's files, which goes with it.
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = "/tmp/evaluation-plot-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try body(directory)
  }

  private func plot(_ directory: String, _ files: [String]) throws {
    try PlotCommand.parse(
      ["--directory", "\(directory)/drawings", "--document", "\(directory)/evaluation.md"] + files
    ).run()
  }

  private let document = """
    <!-- total -->
    <!-- end total -->
    <!-- drawing total -->
    <!-- end drawing total -->
    <!-- drawing service -->
    <!-- end drawing service -->

    """

  @Test("the document points to the drawings that were written, and to no others")
  func links() throws {
    try withDirectory { directory in
      try EvaluationRecord.sample([.sample(.precopy, 9)]).write(toFile: "\(directory)/raw.json")
      try Data(document.utf8).write(to: URL(filePath: "\(directory)/evaluation.md"))
      try plot(directory, ["\(directory)/raw.json"])
      let text = String(
        decoding: try Data(contentsOf: URL(filePath: "\(directory)/evaluation.md")), as: UTF8.self)
      #expect(text.contains("](drawings/total.svg)") && text.contains("| pre-copy | 9.00, n=1 |"))
      #expect(!text.contains("service.svg"))
      let written = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/drawings")
      #expect(written.sorted() == ["bytes.svg", "costs.svg", "downtime.svg", "total.svg"])
    }
  }

  @Test("drawings of earlier raw data are removed, and nothing else")
  func outdated() throws {
    try withDirectory { directory in
      let drawings = "\(directory)/drawings"
      try FileManager.default.createDirectory(
        atPath: drawings, withIntermediateDirectories: true)
      let outdated = ["memory.svg", "latency.svg", "total-1gbit.svg", "total-unshaped.svg"]
      let others = ["total-of-all.svg", "mine.svg", "memory.json", "latency.svg.old", ".svg"]
      for file in outdated + others + ["total.svg"] {
        try Data("old".utf8).write(to: URL(filePath: "\(drawings)/\(file)"))
      }
      try FileManager.default.createDirectory(
        atPath: "\(drawings)/workloads.svg", withIntermediateDirectories: false)
      try EvaluationRecord.sample([.sample(.precopy, 9)]).write(toFile: "\(directory)/raw.json")
      try Data(document.utf8).write(to: URL(filePath: "\(directory)/evaluation.md"))
      try plot(directory, ["\(directory)/raw.json"])
      let left = try FileManager.default.contentsOfDirectory(atPath: drawings)
      let written = ["bytes.svg", "costs.svg", "downtime.svg", "total.svg"]
      #expect(Set(left) == Set(others + written + ["workloads.svg"]))
      let total = try Data(contentsOf: URL(filePath: "\(drawings)/total.svg"))
      #expect(String(decoding: total, as: UTF8.self) != "old")
    }
  }

  @Test("a file of every drawing is known as one")
  func names() throws {
    for link in ["1gbit", "2.5Gbit", "unshaped"] {
      for drawing in try Presentation(.sampleOfEverything(link: link)).drawings {
        #expect(Presentation.Drawing.canBeNamed(drawing.name), "\(drawing.name)")
      }
    }
    for name in ["", "total-", "total-2024", "goals", "total.svg"] {
      #expect(!Presentation.Drawing.canBeNamed(name), "\(name)")
    }
  }

  @Test("a wire on which everything takes far longer has a drawing of its own")
  func slowWire() throws {
    func drawings(_ total: Double) throws -> [String: String] {
      let runs: [Run] = [
        .sample(.precopy, 16), .sample(.xbzrle, 17), .sample(.precopy, total, link: "100mbit"),
      ]
      return Dictionary(
        uniqueKeysWithValues: try Presentation(.sample(runs)).drawings.map {
          ($0.name, $0.image.file)
        })
    }
    let slow = try drawings(160)
    let apart = try #require(slow["total-100mbit"])
    #expect(apart.contains("100 Mbit/s") && !apart.contains("XBZRLE"))
    #expect(slow["total"]?.contains("100 Mbit/s") == false)
    #expect(slow["bytes"]?.contains("100 Mbit/s") == true)
    let others = try drawings(40)
    #expect(others["total-100mbit"] == nil)
    #expect(others["total"]?.contains("100 Mbit/s") == true)
  }

  @Test("runs under different conditions leave document and drawings as they were")
  func refusal() throws {
    try withDirectory { directory in
      var larger = Run.sample(.precopy, 18)
      larger.conditions.memory = 2048
      try EvaluationRecord.sample([.sample(.precopy, 9)]).write(toFile: "\(directory)/one.json")
      try EvaluationRecord.sample([larger]).write(toFile: "\(directory)/two.json")
      try Data(document.utf8).write(to: URL(filePath: "\(directory)/evaluation.md"))
      #expect(throws: ExitCode.failure) {
        try plot(directory, ["\(directory)/one.json", "\(directory)/two.json"])
      }
      let text = try Data(contentsOf: URL(filePath: "\(directory)/evaluation.md"))
      #expect(String(decoding: text, as: UTF8.self) == document)
      #expect(!FileManager.default.fileExists(atPath: "\(directory)/drawings"))
    }
  }

  @Test(
    "drawings are reached from the document",
    arguments: [
      ("docs/evaluation", "docs/evaluation.md", "evaluation"),
      ("docs/evaluation/", "./docs/evaluation.md", "evaluation"),
      ("figures", "docs/evaluation.md", "../figures"),
      ("/a/b", "/a/b.md", "b"),
    ])
  func paths(_ directory: String, _ document: String, _ path: String) {
    #expect(PlotCommand.path(to: directory, from: document) == path)
  }
}
