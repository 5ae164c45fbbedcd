import Dispatch
import Glibc
import HookLink
import Synchronization
import Testing

@testable import Guardian

/// What the hold library makes of memory with holes, as an allocator leaves behind each allocation whose
/// last pages were never touched.
@Suite(.serialized)
struct HoldAreaTests {
  private static let bytes = 16 << 20
  private static let pages = bytes / 4096

  @Test func rangesWithHolesAreHeldInOnePieceWithoutLosingAFrame() throws {
    let held = try hold(hole: 32, filling: HoldAreaTests.bytes)
    #expect(held.frames.count == HoldAreaTests.pages / 32 * 31)
    #expect(held.frames.subtracting(held.pinned).count == 0)
    // Each hole is filled with a page, and a group ends where no more holes are remembered.
    #expect(held.pinned.count >= HoldAreaTests.pages - 8 && held.pieces <= 8)
    #expect(held.pagesLeft == 0)
  }

  @Test func holesAreNotFilledWhereNoMemoryIsToSpare() throws {
    let held = try hold(hole: 32, filling: 0)
    #expect(held.frames.symmetricDifference(held.pinned).count == 0)
    #expect(held.frames.count == HoldAreaTests.pages / 32 * 31)
    #expect(held.pagesLeft == 0)
  }

  @Test func noMoreMemoryIsFilledThanIsAllowed() throws {
    let held = try hold(hole: 32, filling: 32 * 4096)
    #expect(held.frames.subtracting(held.pinned).count == 0)
    #expect(held.pinned.count == held.frames.count + 32)
  }

  @Test func manyHolesAreNotFilled() throws {
    // Runs of four pages: shorter ones are moved by UFFDIO_MOVE, which refuses pages that a fork shares.
    let held = try hold(hole: 5, filling: HoldAreaTests.bytes)
    #expect(held.frames.symmetricDifference(held.pinned).count == 0)
    #expect(held.frames.count == HoldAreaTests.pages / 5 * 4 + 1)
    #expect(held.pagesLeft == 0)
  }

  @Test func whatCannotBePinnedGoesBackAndTheRestIsHeld() throws {
    let library = try HoldLibraryInProcess()
    let mark = try MarkPageWriter(migration: .random())
    let pages = 12_000
    let held = try library.hold(
      bytes: pages * 4096, mark: mark.memory, piece: 4096, failure: ENOSPC)
    defer { try? library.release() }
    // One page in each of the pieces that there can be.
    #expect(held.pieces == 8000 && held.pinned.count == 8000)
    #expect(held.pinned.isSubset(of: held.frames) && held.pagesLeft == 0)
    #expect(held.present == 8000)
  }

  @Test func whatIsNotPinnedInTimeGoesBack() throws {
    let library = try HoldLibraryInProcess()
    let mark = try MarkPageWriter(migration: .random())
    let held = try library.hold(
      bytes: HoldAreaTests.bytes, mark: mark.memory, longest: 0, failure: ETIME)
    defer { try? library.release() }
    #expect(held.pinned.isEmpty && held.present == 0 && held.pagesLeft == 0)
  }

  @Test func noMoreIsCaughtThanTheCallerAllows() throws {
    let library = try HoldLibraryInProcess()
    let mark = try MarkPageWriter(migration: .random())
    let most = HoldAreaTests.bytes / 4
    // With holes, because one long range is moved at once or not at all.
    let held = try library.hold(
      bytes: HoldAreaTests.bytes, mark: mark.memory, hole: 32, most: most)
    defer { try? library.release() }
    #expect(held.pinned.isSubset(of: held.frames) && held.pagesLeft == 0)
    #expect(held.pinned.count > most / 4096 - 64 && held.pinned.count <= most / 4096)
  }

  /// Holes are filled only where mremap moves the pages, and UFFDIO_MOVE leaves them behind.
  @Test(.enabled(if: UnusualMemory.immovable != nil))
  func oneMappingThatCannotBeMovedDoesNotEndMremapForTheOthers() throws {
    let immovable = try #require(UnusualMemory.immovable)
    let library = try HoldLibraryInProcess()
    let mark = try MarkPageWriter(migration: .random())
    defer { try? library.release() }
    let held = try library.hold(
      bytes: HoldAreaTests.bytes, mark: mark.memory, hole: 32, filling: HoldAreaTests.bytes,
      before: immovable)
    #expect(held.frames.subtracting(held.pinned).count == 0)
    #expect(held.pinned.count >= HoldAreaTests.pages - 8)
  }

  /// As a program unmaps code, or a library's constants.
  @Test func memoryThatCannotBePinnedGoesBackAloneAndTheRestIsHeld() throws {
    let readable = try #require(UnusualMemory.readOnly())
    let library = try HoldLibraryInProcess()
    let mark = try MarkPageWriter(migration: .random())
    defer { try? library.release() }
    let held = try library.hold(
      bytes: HoldAreaTests.bytes, mark: mark.memory, before: readable)
    #expect(held.frames.count == HoldAreaTests.pages)
    // What is refused is found to within 16 KiB.
    #expect(held.frames.subtracting(held.pinned).count < 4)
    #expect(held.pinned.isSubset(of: held.frames) && held.pagesLeft == 0)
    #expect(held.present == held.pinned.count)
  }

  /// It would make the pin take a copy of each page, and the hold twice as large while the child lives.
  @Test func aChildForkedBeforeThePinSharesNothingOfTheHold() throws {
    let library = try HoldLibraryInProcess()
    let mark = try MarkPageWriter(migration: .random())
    defer { try? library.release() }
    let held = try library.hold(bytes: HoldAreaTests.bytes, mark: mark.memory, forking: true)
    #expect(held.frames.count == HoldAreaTests.pages)
    #expect(held.frames.symmetricDifference(held.pinned).count == 0)
  }

  @Test func ofTwoThatOpenTheAreaOneHasIt() throws {
    let library = try HoldLibraryInProcess()
    for _ in 0..<20 {
      let results = Mutex<[Int32]>([])
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        let code = library.open()
        results.withLock { $0.append(code) }
      }
      #expect(results.withLock { $0.sorted() } == [0, EBUSY, EBUSY, EBUSY])
      try library.release()
    }
  }

  private func hold(hole: Int, filling: Int) throws -> HoldLibraryInProcess.Held {
    let library = try HoldLibraryInProcess()
    let mark = try MarkPageWriter(migration: .random())
    defer { try? library.release() }
    return try library.hold(
      bytes: HoldAreaTests.bytes, mark: mark.memory, hole: hole, filling: filling)
  }
}
