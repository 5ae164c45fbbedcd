import Foundation
import MigrationLab
import Testing

@testable import StreamProxy

/// `leafcutter inspect` against QEMU's own account of migrations over one connection that the proxy
/// passes on unread.
@Suite(
  .serialized, .enabled(if: ProcessInfo.processInfo.environment["LEAFCUTTER_QEMU"] != nil))
struct RecordedStreamTests {
  /// Deltas begin with the third copy of a page. Damage to a running guest's memory changes no count.
  private static let xbzrle = Way.xbzrle.with {
    $0.mayBeDamaged = true
    $0.convergesAfter = 6000
  }
  private static let stopped = Way.plain.with {
    $0.sourceCapabilities = []
    $0.stopped = true
  }
  private static let cases: [(Way, QEMURelease)] =
    QEMURelease.available.flatMap { [(xbzrle, $0), (.backgroundSnapshot, $0)] }
    + QEMURelease.available.filter { $0.version == "7.2" }.map {
      (Way.compress.with { $0.stopped = true }, $0)
    }

  /// The file of the one connection, and what its QEMU says about it.
  private func record(
    _ way: Way, _ release: QEMURelease,
    _ body: (String, StreamProxy.MigrationStatus, Account) throws -> Void
  ) async throws {
    try await Recording.inFolder { folder in
      let bench = try Recording.bench(way, release)
      let recorder = try ChannelRecorder(at: .unix(path: "\(folder)/in"), in: folder)
      defer { recorder.stop() }
      try await bench.migrate(to: "unix:\(folder)/in")
      try await Recording.waitForEnd(bench.source, recorder)
      let status = try bench.source.qmp.queryMigrate()
      #expect(status.status == "completed")
      let account = try bench.source.qmp.execute("query-migrate", returning: Account.self)
      try body(try #require(recorder.files.first), status, account)
    }
  }

  @Test("Counts of streams that are not edited equal QEMU's own", arguments: cases)
  func counts(_ way: Way, _ release: QEMURelease) async throws {
    try await record(way, release) { file, status, account in
      let ram = try #require(status.ram)
      let found = try StreamInspector.inspect(path: file)
      print(found.text)
      #expect(found.isComplete, "\(found.problem?.line ?? "")")
      #expect(!found.deviceStates.isEmpty)
      #expect(found.pages.normal == Int(ram.normal))
      if way.name == "xbzrle" {
        // QEMU counts a page that it has in its cache, also where it sends nothing because the page
        // has not changed, or all of it because a delta would be longer (`ram.c`, save_xbzrle_page).
        let cached = try #require(account.xbzrle)
        #expect(found.pages.xbzrle > 0, "nothing was sent three times")
        #expect(found.pages.xbzrle <= cached.pages - cached.overflow)
      } else {
        #expect(found.pages.xbzrle == 0)
      }
      if way.name == "compress" {
        // At each flush QEMU counts every thread's last page again, whatever it was, and whether or
        // not it has been sent (`ram.c`, flush_compressed_data). A stopped guest's pages come once.
        #expect(found.pages.compressed > 0)
        #expect(found.pages.compressed <= account.compression?.pages ?? 0)
        #expect(found.pages.zero <= Int(ram.duplicate))
        let pages = found.blocks.reduce(0) { $0 + $1.bytes } / UInt64(found.targetPageSize)
        #expect(found.pages.count == Int(pages))
      } else {
        #expect(found.pages.zero == Int(ram.duplicate) && found.pages.compressed == 0)
      }
      #expect((found.mode == "background-snapshot") == (way.name == "background-snapshot"))
    }
  }

  /// A real machine's device states, cut at every byte from their first to the end of the record.
  ///
  /// Without the description the bytes of a footer and a zero are the end, also where they are a value of
  /// the device: a clock (`timer`, 8 bytes, then zeroes) that happens to end in 7e is enough.
  @Test(
    "A stream cut inside its device states is complete only where a footer and a zero end it",
    arguments: QEMURelease.available)
  func everyCutOfTheDeviceStates(_ release: QEMURelease) async throws {
    try await record(RecordedStreamTests.stopped, release) { file, _, _ in
      let whole = try StreamInspector.inspect(path: file)
      let first = try #require(whole.deviceStates.first)
      let bytes = try Data(contentsOf: URL(filePath: file))
      let tail = Array(bytes[Int(first.offset)...])
      let states = try #require(whole.bytesByKind.first { $0.kind == "device states" }).bytes
      var complete: [Int] = []
      for cut in 0...tail.count {
        let found = DeviceStates(
          tail: cut == 0
            ? nil
            : .init(bytes: Array(tail[..<cut]), offset: first.offset, hasFooters: true))
        if cut > 0, found.problem == nil { complete.append(cut) }
        if cut == Int(states) + 1 {
          // After the EOF byte: what footers tell is what the description tells.
          #expect(found.states == whole.deviceStates && found.note != nil)
        }
      }
      let alike = cutsThatReadAsAnEnd(tail, of: whole.deviceStates, from: first.offset)
      print("\(release): \(tail.count) cuts, \(whole.deviceStates.count) device states, \(alike)")
      #expect(complete.filter { !alike.contains($0) } == [Int(states) + 1, tail.count])
      #expect(alike.count <= 2, "device states spell their footers at \(alike)")
    }
  }

  /// The cuts inside a device's values right after the bytes of its own footer and a zero.
  private func cutsThatReadAsAnEnd(
    _ tail: [UInt8], of states: [StreamInspection.DeviceState], from offset: UInt64
  ) -> [Int] {
    states.flatMap { state in
      let end =
        [0x7e] + stride(from: 24, through: 0, by: -8).map { UInt8(state.id >> $0 & 0xff) } + [0x00]
      let values =
        Int(state.offset - offset) + 14
        + state.name.utf8.count..<Int(state.offset + state.bytes - offset)
      return values.dropLast(end.count).filter { tail[$0..<($0 + end.count)].elementsEqual(end) }
        .map { $0 + end.count }
    }
  }
}
