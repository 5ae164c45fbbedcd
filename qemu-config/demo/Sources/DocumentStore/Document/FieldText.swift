/// Text for the fields of one version of one document. One third of it are phrases out of a small
/// table and two thirds are random characters, so that snappy makes it smaller by about a fifth.
///
/// Unit of 96 bytes: 64 random characters, then one of 64 phrases of 32 bytes. Characters are one of
/// 64, so that four of them rarely stand anywhere else by chance: a match costs an emulated guest a
/// call of memcpy, and with 16 letters and short phrases two thirds of reading a leaf were inside
/// snappy.
struct FieldText {
  private(set) var words: [UInt64]
  let byteCount: Int
  private static let randomWords = 8
  private static let phraseWords = 4
  private static let wordsPerUnit = randomWords + phraseWords
  private static let phrases: [UInt64] = {
    var random = SplitMix64(seed: 0x6c65_6166)
    return (0..<64 * phraseWords).map { _ in characters(random.next()) }
  }()

  init(byteCount: Int) {
    self.byteCount = byteCount
    let bytesPerUnit = FieldText.wordsPerUnit * MemoryLayout<UInt64>.size
    let units = (byteCount + bytesPerUnit - 1) / bytesPerUnit
    words = Array(repeating: 0, count: units * FieldText.wordsPerUnit)
  }

  mutating func fill(shape: CollectionShape, recordID: Int64, version: Int64) {
    var random = SplitMix64(
      seed: SplitMix64.mix(
        shape.seed ^ SplitMix64.mix(UInt64(bitPattern: recordID))) ^ UInt64(bitPattern: version))
    let phrases = FieldText.phrases
    for unit in stride(from: 0, to: words.count, by: FieldText.wordsPerUnit) {
      for word in 0..<FieldText.randomWords {
        words[unit + word] = FieldText.characters(random.next())
      }
      let phrase = Int(random.next() >> 58) * FieldText.phraseWords
      for word in 0..<FieldText.phraseWords {
        words[unit + FieldText.randomWords + word] = phrases[phrase + word]
      }
    }
  }

  /// Eight characters 0 … o, one for each six of the lowest 48 bits.
  private static func characters(_ bits: UInt64) -> UInt64 {
    var spread = bits & 0xff_ffff | (bits & 0xffff_ff00_0000) << 8
    spread = spread & 0x0fff_0000_0fff | (spread & 0x00ff_f000_00ff_f000) << 4
    spread = spread & 0x003f_003f_003f_003f | (spread & 0x0fc0_0fc0_0fc0_0fc0) << 2
    return (spread + 0x3030_3030_3030_3030).littleEndian
  }
}
