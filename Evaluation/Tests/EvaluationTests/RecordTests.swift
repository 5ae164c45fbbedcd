import FoundationEssentials
import Lab
import Testing

@testable import EvaluationReport

@Suite("Raw data and the document")
struct RecordTests {
  @Test("raw data is read as it was written, and its keys are the figures' names")
  func roundTrip() throws {
    let file = "/tmp/evaluation-record-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: file) }
    var one = Run.sample(.leafcutter, 3.25)
    one.stretches = [.init(start: -1, operationsPerSecond: 5, p99: 2)]
    one.conditions.storageMegabytes = 100
    try EvaluationRecord.sample([one]).write(toFile: file)
    let text = String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self)
    #expect(text.contains("\"total_s\" : 3.25") && text.contains("\"method\" : \"leafcutter\""))
    let read = try EvaluationRecord(file: file)
    #expect(read.runs.first?.conditions == one.conditions)
    #expect(read.runs.count == 1 && read.runs[0][.total] == 3.25)
    #expect(read.runs[0].stretches?.count == 1 && read.runs[0][.prepare] == nil)
  }

  @Test(
    "what is no raw data is refused by a sentence that names the file",
    arguments: ["/proc/self/status", "/nowhere/raw.json"])
  func refused(_ file: String) {
    let error = #expect(throws: LabError.self) { try EvaluationRecord(file: file) }
    #expect(error?.sentence.contains(file) == true)
  }

  @Test("a generated part replaces what stood between its markers, and nothing else")
  func markers() throws {
    var text = MarkedText("a\n<!-- goals -->\nold\n<!-- end goals -->\nb\n")
    try text.set("goals", to: "new")
    #expect(text.text == "a\n<!-- goals -->\n\nnew\n\n<!-- end goals -->\nb\n")
    try text.set("goals", to: "newer")
    #expect(text.text == "a\n<!-- goals -->\n\nnewer\n\n<!-- end goals -->\nb\n")
    #expect(text.names == ["goals"])
    #expect(throws: LabError.self) { try text.set("costs", to: "x") }
  }

  @Test("an image stands where its drawing exists, and nothing where it does not")
  func drawings() throws {
    let markers = ["total", "memory"].map {
      "<!-- drawing \($0) -->\nx\n<!-- end drawing \($0) -->\n"
    }
    var text = MarkedText(markers.joined())
    let presentation = try Presentation(.sample([.sample(.precopy, 9)]))
    try text.setDrawings(presentation.drawings, in: "figures")
    #expect(
      text.text.contains(
        "<!-- drawing total -->\n\n![Total time, half of the guest's memory in the cache]"
          + "(figures/total.svg)\n\n<!-- end"))
    #expect(text.text.contains("<!-- drawing memory -->\n<!-- end drawing memory -->"))
  }
}
