import PageFilter
import StreamSamples
import Synchronization
import Testing
import Threads

@Suite struct DeadPagesTests {
  @Test func runsAreEnteredAndTakenOutAtEveryEdgeOfWords() {
    for first in [0, 1, 63, 64, 65, 127] {
      for count in [0, 1, 2, 63, 64, 65, 130] {
        let dead = DeadPages(pagesPerBlock: [0, 300])
        dead.insert(first..<first + count, block: 1)
        #expect(dead.count == count)
        for page in 0..<300 {
          #expect(dead.contains(page, block: 1) == (first..<first + count).contains(page))
        }
        dead.remove(first..<first + 1, block: 1)
        #expect(dead.count == max(0, count - 1))
        dead.remove(0..<1_000_000, block: 1)
        #expect(dead.count == 0)
      }
    }
  }

  @Test func whatLiesOutsideIsNotDead() {
    let dead = DeadPages(pagesPerBlock: [0, 70])
    dead.insert(0..<70, block: 1)
    #expect(!dead.contains(0, block: 0))
    #expect(!dead.contains(70, block: 1))
    #expect(!dead.contains(127, block: 1))
    dead.remove(0..<10, block: 0)
    dead.removeAll()
    #expect(dead.count == 0)
  }

  /// A revocation takes effect for every record that has not been looked up.
  @Test func aPageThatIsTakenOutBetweenTwoPiecesIsForwarded() {
    let sample = SampleStream.preCopy()
    var wrong: [Int] = []
    for cut in 0...sample.bytes.count {
      let dead = sample.deadPages()
      let run = EditorRun(
        sample.bytes, cuts: [cut],
        atStop: { $1.install(dead) },
        afterPiece: { end, _ in if end == cut { dead.remove(0..<9, block: 0) } })
      // What is cut off is met when the rest has come.
      let expected = sample.edited { place, offset in
        guard SampleStream.deadPages.contains(place) else { return false }
        return place.block == 1 || offset + 8 + sample.pageSize <= cut
      }
      if !same(run.output, expected) && !isNamedRecord(at: cut, sample) { wrong.append(cut) }
    }
    #expect(wrong.isEmpty)
  }

  /// The first page of a block run is longer by the name, which the rule above leaves out.
  private func isNamedRecord(at cut: Int, _ sample: SampleStream) -> Bool {
    sample.records.contains { $0.headerLength > 8 && sample.range(of: $0).contains(cut) }
  }

  /// What a page record that is made after a removal rests on (``DeadPages``).
  @Test func noLookupThatBeginsAfterARemovalOnAnotherThreadFindsThePage() {
    final class Removal: Sendable {
      let isDone = Atomic(false)
      let found = Atomic(0)
    }
    for _ in 0..<1000 {
      let dead = DeadPages(pagesPerBlock: [64])
      dead.insert(0..<64, block: 0)
      let removal = Removal()
      let looking = BlockingThread("looks") {
        var (looks, page) = (0, 0)
        while looks < 64 {
          let isLater = removal.isDone.load(ordering: .acquiring)
          if dead.contains(page, block: 0), isLater { removal.found.add(1, ordering: .relaxed) }
          if isLater { looks += 1 }
          page = (page + 1) % 64
        }
      }
      dead.remove(0..<64, block: 0)
      removal.isDone.store(true, ordering: .releasing)
      looking.join()
      #expect(removal.found.load(ordering: .relaxed) == 0)
    }
  }

  @Test func deadPagesOfFewerBlocksThanTheStreamHasTouchNoOther() {
    let sample = SampleStream.preCopy()
    let dead = DeadPages(pagesPerBlock: [3])
    dead.insert(0..<3, block: 0)
    let run = EditorRun(sample.bytes) { $1.install(dead) }
    #expect(
      same(run.output, sample.edited { place, _ in place.block == 0 && place.page < 3 }))
  }
}
