import FoundationEssentials
import StreamSamples
import Testing

@testable import StreamProxy

/// Inspects channels that have been put into files, in the given order.
private func inspect(_ channels: [UInt8]...) throws -> StreamInspection {
  try inspect(channels)
}

private func inspect(_ channels: [[UInt8]]) throws -> StreamInspection {
  let files = channels.map { _ in
    FileManager.default.temporaryDirectory
      .appending(path: "leafcutter-\(UUID().uuidString).stream")
  }
  defer { for file in files { try? FileManager.default.removeItem(at: file) } }
  for (file, bytes) in zip(files, channels) { try Data(bytes).write(to: file) }
  return try StreamInspector.inspect(paths: files.map(\.path))
}

@Suite struct ChannelInspectionTests {
  @Test func aMultifdChannelIsCountedByItself() throws {
    let found = try inspect(MultifdStream.modern(channel: 3).bytes)
    let channel = try #require(found.channels.first)
    #expect(found.isComplete && channel.kind == "multifd")
    #expect(
      channel.multifd
        == .init(id: 3, packets: 7, syncPackets: 3, deviceStatePackets: 1, compression: "none"))
    #expect(channel.pages == .init(normal: 4, zero: 4) && found.pages == channel.pages)
    #expect(
      channel.blocks == [
        .init(name: "pc.bios", normal: 0, zero: 2), .init(name: "pc.ram", normal: 4, zero: 2),
      ])
    let shares = Dictionary(uniqueKeysWithValues: found.bytesByKind.map { ($0.kind, $0.bytes) })
    #expect(shares["multifd headers"] == 64 + 6 * 1344 + 276)
    #expect(shares["multifd pages"] == 4 * 4096)
    #expect(shares["multifd device states"] == 40 && shares.count == 3)
  }

  @Test func aSizeThatIsLeftFromAnEarlierPacketIsNoPayload() throws {
    let found = try inspect(MultifdStream.old().bytes)
    #expect(found.isComplete, "\(found.problem?.sentence ?? "")")
    #expect(found.pages == .init(normal: 5, zero: 0))
    #expect(found.channels.first?.multifd?.syncPackets == 3)
  }

  @Test(arguments: [
    (MultifdStream.Compression.zlib, "zlib"), (.zstd, "zstd"), (.qpl, "qpl"), (.uadk, "uadk"),
    (.qatzip, "qatzip"),
  ])
  func compressedPagesAreCountedAndSkipped(
    _ method: MultifdStream.Compression, name: String
  ) throws {
    let found = try inspect(MultifdStream.compressed(method).bytes)
    #expect(found.isComplete && found.pages == .init(normal: 3, zero: 0))
    #expect(found.channels.first?.multifd?.compression == name)
  }

  @Test func theChannelsOfOneMigrationAddUpInAnyOrder() throws {
    let main = SampleStream.multifdMarkers(pageBits: 12)
    let alone = try inspect(main.bytes)
    let channels = [MultifdStream.modern(channel: 1).bytes, MultifdStream.modern(channel: 0).bytes]
    for found in [
      try inspect(main.bytes, channels[0], channels[1]),
      try inspect(channels[1], main.bytes, channels[0]),
    ] {
      #expect(found.isComplete, "\(found.problem?.sentence ?? "")")
      #expect(found.pages.normal == alone.pages.normal + 8)
      #expect(found.pages.zero == alone.pages.zero + 8)
      #expect(found.multifdFlushes == alone.multifdFlushes && found.multifdFlushes > 0)
      #expect(found.machine == alone.machine)
      #expect(found.channels.count == 3)
      let ram = found.blocks.first { $0.name == "pc.ram" }
      let before = alone.blocks.first { $0.name == "pc.ram" }
      #expect(ram?.pages.normal == (before?.pages.normal ?? 0) + 8)
      #expect(found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes)
      #expect(found.bytes == UInt64(main.bytes.count + channels[0].count + channels[1].count))
    }
  }

  @Test(arguments: SampleStream.multifdMains)
  func aMainChannelWithoutPagesIsFollowedToItsEnd(main: SampleStream) throws {
    let found = try inspect(main.bytes, MultifdStream.modern().bytes)
    #expect(found.isComplete, "\(found.problem?.line ?? "")")
    #expect(found.pages.normal == 4 + main.records.count { !$0.isZero })
    #expect(found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes)
  }

  /// A multifd header's length follows from the size.
  @Test(arguments: [0, -1, -4096, 1, 2, 3, 512, 4095, 131_072, .max])
  func aDescriptionWithAPageSizeThatNoTargetHasIsDamageBesideMultifdToo(size: Int) throws {
    let main = SampleStream.multifdPerSection(description: size)
    let problem = try #require(try inspect(main.bytes, MultifdStream.modern().bytes).problem)
    #expect(problem.offset == UInt64(try #require(main.bytes.lastIndex(of: 0x06))))
    #expect(problem.sentence.contains("names pages of \(size) bytes, which no target has"))
  }

  @Test func aPageOutsideTheAnnouncedBlocksIsNamedWithItsFile() throws {
    var stream = MultifdStream(channel: 0)
    stream.sync()
    stream.pages("pc.ram", normal: [9])
    let main = SampleStream.multifdMarkers(pageBits: 12)
    let problem = try #require(try inspect(main.bytes, stream.bytes).problem)
    #expect(problem.offset == 64 + 1344)
    #expect(problem.sentence.contains("lies beyond RAM block 'pc.ram'"))
    #expect(problem.file?.hasSuffix(".stream") == true)
    #expect(problem.line.contains("\(problem.file ?? "-"), at byte \(64 + 1344): "))
  }

  @Test func aMultifdChannelOfQEMUBefore4IsNamed() throws {
    let greeting = Array(MultifdStream(channel: 1).bytes.prefix(25))
    // Magic and version, flags, and what else there was.
    let packet = Array(greeting.prefix(8)) + [UInt8](repeating: 0, count: 4096)
    for bytes in [greeting, greeting + packet, greeting + packet.prefix(8)] {
      let problem = try #require(try inspect(bytes).problem)
      #expect(problem.sentence == "x-multifd of QEMU before 4.0 is not followed")
      #expect(problem.offset == 25)
    }
    // Less tells nothing, and today's greeting may be cut too.
    for bytes in [Array(greeting.dropLast()), greeting + packet.prefix(7), greeting + [0]] {
      let problem = try #require(try inspect(bytes).problem)
      #expect(problem.sentence == "the channel ends inside a header that needs 64 bytes")
    }
  }

  @Test func aMultifdChannelCutAnywhereButBetweenPacketsIsNotTakenForComplete() throws {
    let bytes = MultifdStream.modern().bytes
    let whole: Set = [64, 64 + 1344, bytes.count]
    for cut in Array(stride(from: 4, to: bytes.count, by: 211)) + whole {
      let problem = try inspect(Array(bytes[..<cut])).problem
      if whole.contains(cut) {
        #expect(problem == nil, "cut at \(cut)")
      } else {
        #expect(problem?.offset == UInt64(cut), "cut at \(cut)")
      }
    }
  }

  /// Which QEMU synchronises together.
  @Test func aMultifdChannelCutBetweenPacketsIsSeenBesideAnotherOne() throws {
    let main = SampleStream.multifdMarkers(pageBits: 12).bytes
    let whole = MultifdStream.modern(channel: 0).bytes
    let other = MultifdStream.modern(channel: 1).bytes
    let (page, header, device) = (4096, 1344, 276 + 40)
    let synchronisations = [
      64: 0, 64 + header: 1, 64 + 2 * header + 3 * page: 1,
      64 + 2 * header + 3 * page + device: 1, whole.count - 2 * header - page: 2,
      whole.count - header: 2,
    ]
    for (cut, count) in synchronisations {
      for found in [
        try inspect(main, whole, Array(other[..<cut])), try inspect(whole, Array(other[..<cut])),
      ] {
        let problem = try #require(found.problem, "cut at \(cut)")
        #expect(problem.offset == UInt64(cut) && problem.file == found.channels.last?.file)
        #expect(problem.sentence.contains("it has \(count) of the 3 synchronisations"))
        #expect(found.channels.last?.problem?.sentence == problem.sentence)
      }
      // By itself it cannot be told.
      #expect(try inspect(main, Array(other[..<cut])).isComplete)
    }
  }

  @Test func multifdChannelsWithAsManySynchronisationsAreComplete() throws {
    for channels in [
      [MultifdStream.old(channel: 0), .old(channel: 1), .modern(channel: 2)],
      [.compressed(.zlib), .compressed(.zstd)],
    ] {
      // What a channel carries after the last of them is its own affair.
      var more = channels[0]
      more.deviceState("0000:00:03.0/vfio", [1, 2, 3])
      for main in SampleStream.multifdMains {
        let found = try inspect([main.bytes, more.bytes] + channels.dropFirst().map(\.bytes))
        #expect(found.isComplete, "\(found.problem?.line ?? "")")
      }
    }
  }

  @Test(arguments: [false, true])
  func aPreemptChannelIsCountedByItselfAndBesideItsMainOne(ends: Bool) throws {
    let sample = SampleStream.preempt(ends: ends)
    let alone = try inspect(sample.bytes)
    let channel = try #require(alone.channels.first)
    #expect(alone.isComplete && channel.kind == "postcopy-preempt")
    #expect(alone.pages == .init(normal: 4, zero: 1))
    #expect(
      channel.blocks == [
        .init(name: "pc.ram", normal: 3, zero: 1), .init(name: "pc.bios", normal: 1, zero: 0),
      ])
    let main = SampleStream.preCopy(pageBits: 12)
    let both = try inspect(sample.bytes, main.bytes)
    #expect(both.isComplete)
    #expect(both.pages.normal == 4 + main.records.count { !$0.isZero })
    #expect(both.channels.map(\.kind) == ["postcopy-preempt", "main"])
  }

  @Test func aPreemptChannelThatEndsInsideARecordIsNotTakenForComplete() throws {
    let bytes = SampleStream.preempt().bytes
    let problem = try inspect(Array(bytes.dropLast())).problem
    #expect(problem?.offset == UInt64(bytes.count - 1))
  }

  @Test func aPreemptChannelThatCarriedNothingIsNoDamage() throws {
    let found = try inspect(SampleStream.preCopy().bytes, [])
    #expect(found.isComplete && found.channels.last?.kind == "empty")
  }

  @Test func aPreemptChannelThatOnlyEndsIsRecognised() throws {
    let bytes = SampleStream.preemptWithoutPages().bytes
    for found in [try inspect(bytes), try inspect(SampleStream.postCopy().bytes, bytes)] {
      #expect(found.isComplete, "\(found.problem?.sentence ?? "")")
      let channel = try #require(found.channels.last)
      #expect(channel.kind == "postcopy-preempt" && channel.bytes == 8)
      #expect(channel.pages == .none)
    }
    // Cut off, or with something after it, it is none.
    for cut in 1..<bytes.count { #expect(try !inspect(Array(bytes[..<cut])).isComplete) }
    #expect(try !inspect(bytes + [0]).isComplete)
  }

  @Test func whatFollowsTheEndOfAPreemptChannelIsDamage() throws {
    let bytes = SampleStream.preempt(ends: true).bytes
    let problem = try #require(try inspect(bytes + [0, 0]).problem)
    #expect(problem.offset == UInt64(bytes.count) && problem.sentence.contains("goes on after"))
  }

  @Test func aRecoveryIsReadBesideTheConnectionThatBroke() throws {
    let main = SampleStream.postCopy()
    let recovery = SampleStream.recovery()
    let found = try inspect(recovery.bytes, main.bytes)
    #expect(found.isComplete, "\(found.problem?.sentence ?? "")")
    #expect(found.pages.normal == (main.records + recovery.records).count { !$0.isZero })
    #expect(found.commands.first { $0.name == "recv-bitmap" }?.count == 2)
    #expect(found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes)

    let alone = try #require(try inspect(recovery.bytes).problem)
    #expect(alone.sentence.contains("post-copy recovery") && alone.offset == 0)
  }

  /// From PACKAGED on the destination waits for a recovery; before, there is none to come.
  @Test func aConnectionThatBrokeAndWasRecoveredIsNoDamageAfterPackaged() throws {
    let main = SampleStream.postCopy().bytes
    let recovery = SampleStream.recovery().bytes
    // PING 4 stands right behind it.
    let after = try #require(
      main.indices.last { main[$0...].starts(with: [8, 0, 2, 0, 4, 0, 0, 0, 4]) })
    for cut in [after - 15, after - 14, after - 1] + Array(after..<main.count) {
      let found = try inspect(recovery, Array(main[..<cut]))
      #expect(found.isComplete == (cut >= after), "cut at \(cut)")
      let channel = try #require(found.channels.last)
      #expect(channel.problem?.offset == UInt64(cut) && channel.recovered == (cut >= after))
    }
    for (cut, isSaid) in [(after - 1, false), (after, true)] {
      let text = try inspect(recovery, Array(main[..<cut])).text
      #expect(text.contains("connections that broke and were recovered") == isSaid)
    }
    // Nothing has gone on from it.
    #expect(try !inspect(Array(main.dropLast())).isComplete)
  }

  @Test func aRecoveryThatIsCutIsNoDamageWhereAnotherEndsTheMigration() throws {
    let main = Array(SampleStream.postCopy().bytes.dropLast(40))
    let recovery = SampleStream.recovery().bytes
    for cut in Array(4..<40) + stride(from: 40, to: recovery.count, by: 7) {
      let broken = Array(recovery[..<cut])
      let alone = try inspect(main, broken)
      #expect(!alone.isComplete && alone.channels.allSatisfy { !$0.recovered }, "cut at \(cut)")
      let found = try inspect(main, broken, recovery)
      #expect(found.isComplete, "cut at \(cut): \(found.problem?.line ?? "")")
      #expect(found.channels.map(\.recovered) == [true, true, false])
    }
  }

  @Test func aPreemptChannelThatIsCutBelongsToAConnectionThatBroke() throws {
    let main = Array(SampleStream.postCopy().bytes.dropLast(40))
    let recovery = SampleStream.recovery().bytes
    let preempt = SampleStream.preempt(ends: true, pageBits: 10).bytes
    for cut in Array(4..<40) + stride(from: 40, to: preempt.count, by: 7) {
      let broken = Array(preempt[..<cut])
      #expect(try inspect(main, broken, recovery).isComplete, "cut at \(cut)")
      #expect(try inspect(recovery, preempt, main, broken).isComplete, "cut at \(cut)")
    }
    // The recovery's own cannot be cut too.
    let broken = Array(preempt.dropLast())
    let found = try inspect(main, broken, recovery, broken)
    #expect(found.problem?.sentence == "the channel ends inside a record")
    #expect(found.problem?.file == found.channels[1].file)
    #expect(found.channels.map(\.recovered) == [true, false, false, false])
  }

  @Test func whatIsMalformedInAConnectionThatBrokeStaysDamage() throws {
    let main = SampleStream.postCopy().bytes
    let recovery = SampleStream.recovery().bytes
    let preempt = SampleStream.preempt(ends: true, pageBits: 10).bytes
    let end = main.count - 1
    let found = try inspect(Array(main[..<end]) + [0x55], recovery)
    #expect(found.problem?.offset == UInt64(end) && found.channels.allSatisfy { !$0.recovered })
    #expect(try !inspect(main, preempt + [0], recovery).isComplete)
  }

  @Test func anythingUnknownAfterTheSwitchoverIsSaid() throws {
    var build = StreamBuilder("post-copy and more")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 4)])
    build.endOfSection()
    build.packaged([1, 2, 3])
    let offset = UInt64(build.offset)
    build.put([0x55, 1, 2])
    let problem = try #require(try inspect(build.sample.bytes).problem)
    #expect(problem.offset == offset && problem.sentence.contains("0x55"))
  }

  @Test func whatTheOldMembersSaidTheyStillSay() throws {
    let main = SampleStream.multifdMarkers(pageBits: 12).bytes
    let text = try inspect(main, MultifdStream.modern().bytes).json()
    for member in [
      "channels", "file", "packets", "sync_packets", "device_state_packets", "compression",
      "multifd_flushes", "pages", "blocks",
    ] {
      #expect(text.contains("\"\(member)\" :"), "\(member)")
    }
  }
}
