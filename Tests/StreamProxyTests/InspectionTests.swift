import FoundationEssentials
import StreamSamples
import Testing

@testable import StreamProxy

/// Inspects bytes that have been put into a file.
private func inspect(_ bytes: some Collection<UInt8>) throws -> StreamInspection {
  let file = FileManager.default.temporaryDirectory
    .appending(path: "leafcutter-\(UUID().uuidString).stream")
  try Data(bytes).write(to: file)
  defer { try? FileManager.default.removeItem(at: file) }
  return try StreamInspector.inspect(path: file.path)
}

@Suite struct InspectionTests {
  @Test(arguments: SampleStream.editable)
  func everyKindOfStreamIsFollowedToItsEnd(sample: SampleStream) throws {
    let found = try inspect(sample.bytes)
    #expect(found.isComplete, "\(found.problem?.sentence ?? "")")
    #expect(found.bytes == UInt64(sample.bytes.count))
    #expect(found.pages.normal == sample.records.count { !$0.isZero })
    #expect(found.pages.zero == sample.records.count { $0.isZero })
    #expect(found.rounds.reduce(0) { $0 + $1.normal } == found.pages.normal)
    #expect(found.blocks.map(\.name) == sample.blocks.map(\.name))
    #expect(found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes)
    #expect(!found.bytesByKind.contains { $0.kind == "unread" })
    #expect(found.text.hasSuffix("the stream is complete"))
  }

  @Test func deviceStatesAreFoundByNameAndPlace() throws {
    var build = StreamBuilder.untilEndOfRAM()
    let start = UInt64(build.offset)
    build.tail(devices: ["timer", "cpu", "cpu"])
    let found = try inspect(build.sample.bytes)
    // A header of 14 bytes and the name, 37 bytes of state and a footer.
    #expect(
      found.deviceStates == [
        .init(id: 40, name: "timer", instance: 0, version: 2, offset: start, bytes: 61),
        .init(id: 41, name: "cpu", instance: 0, version: 2, offset: start + 61, bytes: 59),
        .init(id: 42, name: "cpu", instance: 0, version: 2, offset: start + 120, bytes: 59),
      ])
    #expect(found.isComplete)
  }

  @Test func aStateThatLooksLikeTheNextHeaderIsNotTakenForIt() throws {
    var build = StreamBuilder.untilEndOfRAM()
    build.open(4, id: 40, "timer", version: 2)
    let lure = build.offset
    build.open(4, id: 41, "cpu", version: 9)
    build.put([1, 2, 3])
    build.put([0x7e, 0, 0, 0, 40])
    let real = build.offset
    build.open(4, id: 41, "cpu", version: 2)
    build.close()
    build.put(0x00)
    build.description(devices: ["timer", "cpu"])
    let found = try inspect(build.sample.bytes)
    #expect(found.deviceStates.map(\.offset).last == UInt64(real))
    #expect(lure < real)
    #expect(found.isComplete)
  }

  @Test func aStreamCutAnywhereIsNotTakenForComplete() throws {
    let sample = SampleStream.preCopy()
    let end = sample.endOfFile
    let cuts = Array(stride(from: 0, to: sample.bytes.count, by: 41)) + [end]
    for cut in cuts where cut != end + 1 {
      let found = try inspect(sample.bytes[..<cut])
      let problem = try #require(found.problem, "cut at \(cut)")
      #expect(problem.offset == UInt64(cut), "cut at \(cut): \(problem.sentence)")
      #expect(found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes)
    }
    // After the EOF byte: QEMU with suppress-vmdesc.
    let found = try inspect(sample.bytes[...end])
    #expect(found.isComplete && found.deviceStatesNote != nil)
    #expect(found.deviceStates.map(\.name) == ["timer", "cpu_common"])
  }

  @Test(arguments: PassedSample.followed)
  func whatIsNotEditedIsFollowedToItsEnd(sample: PassedSample) throws {
    let reading = try #require(sample.reading)
    let found = try inspect(sample.stream.bytes)
    #expect(found.isComplete, "\(found.problem?.sentence ?? "")")
    #expect(found.pages.normal == sample.stream.records.count { !$0.isZero })
    #expect(found.pages.zero == sample.stream.records.count { $0.isZero })
    #expect(found.pages.xbzrle == reading.xbzrle && found.pages.compressed == reading.compressed)
    #expect(found.channels.first?.blocks.reduce(0) { $0 + $1.pages.count } == found.pages.count)
    #expect(found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes)
    #expect(!found.bytesByKind.contains { $0.kind == "unread" })
    #expect(found.deviceStates.map(\.name) == ["timer", "cpu_common"])
    let hasOrder = reading.compressed == 0 && found.mode != "background-snapshot"
    #expect(found.rounds.isEmpty == !hasOrder)
    #expect(found.text.hasSuffix("the stream is complete"))
    #expect(found.text.contains("  xbzrle") == (reading.xbzrle > 0))
    #expect(found.text.contains("  compressed") == (reading.compressed > 0))
  }

  @Test(arguments: PassedSample.followed)
  func whatIsNotEditedAndIsCutIsNotTakenForComplete(sample: PassedSample) throws {
    let bytes = sample.stream.bytes
    let description = try #require(bytes.indices.last { bytes[$0...].starts(with: [0, 6, 0, 0]) })
    for cut in stride(from: 0, to: bytes.count, by: 7) where cut != description + 1 {
      let isAfterCopy = sample.stream.name == "COLO" && cut >= bytes.count - 44
      #expect(try inspect(bytes[..<cut]).isComplete == isAfterCopy, "cut at \(cut)")
    }
  }

  @Test func aSnapshotAndCOLOAreNamed() throws {
    let modes = try PassedSample.followed.map { try inspect($0.stream.bytes).mode }
    #expect(modes == [nil, nil, "COLO", "background-snapshot", nil, nil, nil])
    let colo = try inspect(PassedSample.followed[2].stream.bytes)
    #expect(colo.bytesByKind.first { $0.kind == "COLO checkpoints" }?.bytes == 44)
    #expect(colo.deviceStatesNote?.contains("are not read") == true)
  }

  /// A byte 00 in the data of a device, after what looks like some footer.
  @Test func aFooterOfAnotherSectionIsNoEnd() throws {
    var build = StreamBuilder.untilEndOfRAM()
    build.open(4, id: 40, "timer", version: 2)
    for (id, next) in [(39, 0), (2, 0), (40, 1)] as [(UInt8, UInt8)] {
      build.put([0x7e, 0, 0, 0, id, next])
      #expect(try !inspect(build.sample.bytes).isComplete)
    }
    build.close()
    build.put(0x00)
    let found = try inspect(build.sample.bytes)
    #expect(found.isComplete && found.deviceStates.map(\.bytes) == [19 + 18 + 5])
  }

  /// A clock that ends in 7e, and zeroes after it, in section 0: in the bytes nothing tells it from an end.
  @Test func aValueThatSpellsItsFooterAndAZeroIsTheEndOnlyOfAStreamThatIsCutThere() throws {
    var build = StreamBuilder.untilEndOfRAM()
    build.open(4, id: 0, "timer", version: 2)
    build.put([1, 2, 3, 4, 5, 6, 7, 0x7e])
    let cut = build.sample.bytes.count + 5
    build.put([UInt8](repeating: 0, count: 16))
    build.close()
    build.put(0x00)
    let bytes = build.sample.bytes
    let found = try inspect(bytes)
    #expect(found.isComplete && found.deviceStates.map(\.bytes) == [19 + 24 + 5])
    let short = try inspect(bytes[..<cut])
    #expect(short.isComplete && short.deviceStatesNote?.contains("or ends before it") == true)
    for other in [cut - 1, cut + 1] { #expect(try !inspect(bytes[..<other]).isComplete) }
  }

  /// Nothing tells whether they are whole, which is said.
  @Test func deviceStatesWithNeitherFootersNorDescriptionAreNotCalledComplete() throws {
    var build = StreamBuilder("bare device states")
    build.footers = false
    build.begin()
    build.startRAM([.init("pc.ram", pages: 4)])
    build.endOfSection()
    build.reopen(3, id: 2)
    build.endOfSection()
    build.tail(description: false)
    let problem = try #require(try inspect(build.sample.bytes).problem)
    #expect(problem.sentence.contains("it cannot be known whether they are whole"))
    build.description(devices: ["timer", "cpu_common"])
    #expect(try inspect(build.sample.bytes).isComplete)
  }

  @Test func thePageSizeOfAStreamWithoutWholePagesIsTheDescriptions() throws {
    var build = StreamBuilder("zero pages of 8192 bytes", pageBits: 13)
    build.announcesPageSize = false
    build.begin()
    build.startRAM([.init("ram", pages: 4)])
    build.endOfSection()
    build.reopen(3, id: 2)
    build.zero(0, 1)
    build.endOfSection()
    build.tail()
    let found = try inspect(build.sample.bytes)
    #expect(found.isComplete && found.targetPageSize == 8192)
  }

  @Test func ofACommandThatIsCutOnlyWhatCameIsCounted() throws {
    var build = StreamBuilder("a command that is cut")
    build.begin()
    let offset = build.offset
    build.packaged([UInt8](repeating: 1, count: 50))
    for cut in offset..<build.offset {
      let found = try inspect(build.sample.bytes[..<cut])
      // Its header is nine bytes, and is not counted before it is whole.
      #expect(!found.isComplete && found.bytes == UInt64(cut < offset + 9 ? offset : cut))
      #expect(found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes, "cut at \(cut)")
    }
  }

  @Test func anEndOfPostCopyWithoutTheEndOfRAMIsDamage() throws {
    var build = StreamBuilder("post-copy without END")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 4)])
    build.endOfSection()
    build.packaged([1, 2, 3])
    build.reopen(2, id: 2)
    build.page(0, 1)
    build.endOfSection()
    let offset = UInt64(build.offset)
    build.put(0x00)
    let problem = try #require(try inspect(build.sample.bytes).problem)
    #expect(problem.offset == offset && problem.sentence.contains("before the end of RAM"))
  }

  @Test func aDeviceThatIsListedAndMissingIsDamage() throws {
    var build = StreamBuilder.untilEndOfRAM()
    let start = UInt64(build.offset)
    build.open(4, id: 40, "timer", version: 2)
    build.close()
    build.put(0x00)
    build.description(devices: ["timer", "cpu"])
    let problem = try #require(try inspect(build.sample.bytes).problem)
    #expect(problem.offset > start)
    #expect(problem.sentence.contains("'cpu'"))
  }

  @Test func deviceStatesOfWhichTheDescriptionListsNoneAreDamage() throws {
    var build = StreamBuilder.untilEndOfRAM()
    let start = UInt64(build.offset)
    build.tail(description: false)
    build.description(devices: [])
    let problem = try #require(try inspect(build.sample.bytes).problem)
    #expect(problem.offset == start && problem.sentence.contains("lists none"))
  }

  @Test func whatIsUnknownIsSaidWithItsOffset() throws {
    let text = try inspect(Array("this is no stream at all".utf8))
    #expect(text.problem?.offset == 0)
    #expect(text.problem?.sentence.contains("not a QEMU migration stream") == true)
    #expect(try inspect([]).problem?.sentence == "the stream is empty")

    var build = StreamBuilder.untilEndOfRAM()
    let offset = UInt64(build.offset)
    build.put([0x55, 1, 2, 3])
    let after = try inspect(build.sample.bytes)
    #expect(after.problem?.offset == offset)
    #expect(after.problem?.sentence.contains("0x55") == true)
    #expect(after.text.hasSuffix("at byte \(offset): \(after.problem?.sentence ?? "")"))
  }

  @Test func aFileThatCannotBeReadIsAnErrorAndNoStream() {
    #expect(throws: SystemError.self) { try StreamInspector.inspect(path: "/nonexistent/stream") }
    #expect(throws: SystemError.self) { try StreamInspector.inspect(path: "/") }
  }

  @Test func theJSONsMembersStay() throws {
    let found = try inspect(SampleStream.disks().bytes)
    let text = try found.json()
    for member in [
      "bytes", "is_complete", "machine", "target_page_size", "return_path", "blocks", "sections",
      "commands", "pages", "rounds", "multifd_flushes", "device_states", "bytes_by_kind", "normal",
      "zero", "starts", "parts", "ends", "fulls", "instance", "version", "number", "count", "kind",
    ] {
      #expect(text.contains("\"\(member)\" :"), "\(member)")
    }
    #expect(!text.contains("\"problem\""))
  }
}

extension StreamBuilder {
  fileprivate static func untilEndOfRAM() -> StreamBuilder {
    var build = StreamBuilder("device states")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 4)])
    build.endOfSection()
    build.reopen(3, id: 2)
    build.page(0, 1)
    build.endOfSection()
    return build
  }
}

extension SampleStream {
  /// Offset of the EOF byte.
  fileprivate var endOfFile: Int { bytes.lastIndex(of: 0x06).map { $0 - 1 } ?? bytes.count - 1 }
}
