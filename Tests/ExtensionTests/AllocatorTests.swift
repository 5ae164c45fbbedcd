import HookLink
import Testing

@testable import WiredTigerExtension

/// Whether what leaves the cache comes back through the allocator that was found.
@Suite(.serialized) struct AllocatorTests {
  /// As in a program that has a malloc of its own linked in, beside a preloaded one.
  @Test func anAllocatorThatIsNotTheEnginesIsToldByItsName() throws {
    let notes = try notes(.besideJemalloc)
    #expect(
      notes.contains { $0.contains("does not come from jemalloc but") }, "\(notes)")
  }

  @Test(arguments: [TestAllocator.jemalloc, .tcmalloc])
  func nothingIsSaidOfTheEnginesOwn(allocator: TestAllocator) throws {
    let notes = try notes(allocator)
    #expect(!notes.contains { $0.contains("does not come from") }, "\(notes)")
  }

  @Test func littleAndWhatCouldNotBeMovedSayNothing() {
    func note(_ lost: UInt64, _ caught: UInt64, _ failures: UInt64 = 0) -> String? {
      DatabaseControl.strangeAllocator(
        "x", lost: lost << 20, caught: caught << 20, failures: failures)
    }
    #expect(note(64, 0) == nil && note(65, 0) != nil)
    #expect(note(400, 100) == nil && note(400, 99) != nil)
    // 100 MiB in runs of 16 KiB.
    #expect(note(400, 0, 6400) == nil && note(400, 0, 6399) != nil)
  }

  private func notes(_ allocator: TestAllocator) throws -> [String] {
    let (database, guardian) = try DatabaseProcess.openWarm(
      .init(documents: 120_000, allocator: allocator))
    defer { database.remove() }
    #expect(try database.tell("cache")[1] > 70 << 20)
    try guardian.prepare()
    let notes = try guardian.prepared().prepared.notes
    let resumed = try guardian.releaseAndResume()
    #expect(resumed.leavesResident == resumed.leavesInManifest)
    try database.expectClean()
    return notes
  }
}
