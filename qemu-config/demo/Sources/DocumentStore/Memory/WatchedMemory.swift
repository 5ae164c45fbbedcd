import Glibc

/// Memory of which every word is known: chunks of fresh anonymous memory, each filled with a pattern
/// that says which page it is and how often it has been written.
///
/// A page that was left out of a migration arrives as zeroes, and a frame that two owners write holds
/// the other's bytes; neither is the pattern. Chunks are given back to the kernel and taken anew, so
/// that the frames which others let go of end up here. Belongs to one thread.
@safe public final class WatchedMemory {
  /// Bytes of a chunk, the unit in which memory is taken.
  public static let chunkBytes = 1 << 20
  static let pageBytes = 4096
  private static let pagesInChunk = chunkBytes / pageBytes
  private static let wordsInPage = pageBytes / MemoryLayout<UInt64>.size

  @safe private struct Chunk {
    /// `pagesInChunk` pages of a mapping that this object owns.
    let words: UnsafeMutablePointer<UInt64>
    /// What its first page was written with; the others follow.
    let generation: UInt64
    /// When it was written, by ``MonotonicClock``.
    let writtenAt: UInt64
  }

  /// A page that did not hold what was written, for whoever looks for the reason.
  public struct Finding: Equatable, Sendable {
    public var address: UInt
    /// Nanoseconds of ``MonotonicClock``.
    public var writtenAt: UInt64
    public var seenAt: UInt64
    /// Words of the page that differ, of 512; and how many do when they are read once more.
    public var words: Int
    public var wordsAgain: Int
    public var firstWord: Int
    public var lastWord: Int
    /// Of the first word.
    public var expected: UInt64
    public var found: UInt64
    public var zeroWords: Int
  }

  private var chunks: [Chunk] = []
  private var nextGeneration: UInt64
  /// The next chunk that is looked at, and the next that is taken anew.
  private var checking = 0
  private var renewing = 0
  public private(set) var tally = MemoryTally()
  /// Told of the first corrupted pages; see ``findingsTold``.
  public var whenFound: ((Finding) -> Void)?
  static let findingsTold = 20

  /// - Parameter seed: of the patterns; two processes with different ones never write the same.
  public init(seed: UInt64) { nextGeneration = SplitMix64.mix(seed) }

  deinit { for chunk in chunks { WatchedMemory.unmap(chunk) } }

  /// Takes another chunk and writes it; false where the kernel gives none.
  public func grow() -> Bool {
    guard let chunk = makeChunk() else { return false }
    chunks.append(chunk)
    tally.pages = UInt64(chunks.count * WatchedMemory.pagesInChunk)
    return true
  }

  /// Checks the next `count` chunks.
  public func check(_ count: Int) {
    for _ in 0..<min(count, chunks.count) {
      look(at: chunks[checking])
      checking += 1
      if checking == chunks.count {
        checking = 0
        tally.passes += 1
      }
    }
  }

  /// Checks the next chunk, gives it back to the kernel and takes a fresh one in its place.
  public func renew() {
    guard renewing < chunks.count, let fresh = makeChunk() else { return }
    look(at: chunks[renewing])
    WatchedMemory.unmap(chunks[renewing])
    chunks[renewing] = fresh
    renewing = (renewing + 1) % chunks.count
  }

  private func look(at chunk: Chunk) {
    for page in 0..<WatchedMemory.pagesInChunk {
      let base = SplitMix64.mix(chunk.generation &+ UInt64(page))
      var differences: UInt64 = 0
      for word in 0..<WatchedMemory.wordsInPage {
        // Within the chunk's mapping.
        let value = unsafe chunk.words[page * WatchedMemory.wordsInPage + word]
        differences |= value ^ (base &+ UInt64(word))
      }
      tally.checked += 1
      if differences != 0 {
        tally.corrupted += 1
        if tally.corrupted <= WatchedMemory.findingsTold { whenFound?(finding(chunk, page)) }
      }
    }
  }

  private func finding(_ chunk: Chunk, _ page: Int) -> Finding {
    let base = SplitMix64.mix(chunk.generation &+ UInt64(page))
    let first = page * WatchedMemory.wordsInPage
    var finding = unsafe Finding(
      address: UInt(bitPattern: chunk.words + first), writtenAt: chunk.writtenAt,
      seenAt: MonotonicClock.now, words: 0, wordsAgain: 0, firstWord: -1, lastWord: -1, expected: 0,
      found: 0, zeroWords: 0)
    for word in 0..<WatchedMemory.wordsInPage {
      // Within the chunk's mapping.
      let value = unsafe chunk.words[first + word]
      let expected = base &+ UInt64(word)
      if value == 0 { finding.zeroWords += 1 }
      guard value != expected else { continue }
      finding.words += 1
      if finding.firstWord < 0 {
        (finding.firstWord, finding.expected, finding.found) = (word, expected, value)
      }
      finding.lastWord = word
    }
    for word in 0..<WatchedMemory.wordsInPage
    where unsafe chunk.words[first + word] != base &+ UInt64(word) {
      finding.wordsAgain += 1
    }
    return finding
  }

  private func makeChunk() -> Chunk? {
    // A new mapping of whole pages, which nobody else knows.
    let address = unsafe mmap(
      nil, WatchedMemory.chunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else { return nil }
    let words = unsafe address.bindMemory(
      to: UInt64.self, capacity: WatchedMemory.chunkBytes / MemoryLayout<UInt64>.size)
    let chunk = unsafe Chunk(
      words: words, generation: nextGeneration, writtenAt: MonotonicClock.now)
    nextGeneration &+= UInt64(WatchedMemory.pagesInChunk)
    for page in 0..<WatchedMemory.pagesInChunk {
      let base = SplitMix64.mix(chunk.generation &+ UInt64(page))
      for word in 0..<WatchedMemory.wordsInPage {
        unsafe chunk.words[page * WatchedMemory.wordsInPage + word] = base &+ UInt64(word)
      }
    }
    return chunk
  }

  private static func unmap(_ chunk: Chunk) {
    // The mapping of this chunk, which is used no more.
    _ = unsafe munmap(chunk.words, chunkBytes)
  }

  /// Writes over the first word of the memory, for a test.
  func damageFirstPage() {
    if let chunk = chunks.first { unsafe chunk.words[0] ^= 1 }
  }
}
