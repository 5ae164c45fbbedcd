/// Text for the fields of one version of one document. One third of it are words out of a small table
/// and two thirds are random letters, so that snappy makes it smaller by about a fifth.
///
/// Unit of 24 bytes: 16 letters from 58 random bits, then one of 64 words of 8 bytes.
struct FieldText {
  private(set) var words: [UInt64]
  let byteCount: Int
  private static let wordsPerUnit = 3
  private static let table: [UInt64] = {
    var random = SplitMix64(seed: 0x6c65_6166)
    return (0..<64).map { _ in letters(UInt32(truncatingIfNeeded: random.next())) }
  }()

  init(byteCount: Int) {
    self.byteCount = byteCount
    let units = (byteCount + 23) / 24
    words = Array(repeating: 0, count: units * FieldText.wordsPerUnit)
  }

  mutating func fill(shape: CollectionShape, recordID: Int64, version: Int64) {
    var random = SplitMix64(
      seed: SplitMix64.mix(
        shape.seed ^ SplitMix64.mix(UInt64(bitPattern: recordID))) ^ UInt64(bitPattern: version))
    let table = FieldText.table
    for unit in stride(from: 0, to: words.count, by: FieldText.wordsPerUnit) {
      let bits = random.next()
      words[unit] = FieldText.letters(UInt32(truncatingIfNeeded: bits))
      words[unit + 1] = FieldText.letters(UInt32(truncatingIfNeeded: bits >> 26))
      words[unit + 2] = table[Int(bits >> 58)]
    }
  }

  /// Eight letters a … p, one for each four bits.
  private static func letters(_ bits: UInt32) -> UInt64 {
    var spread = UInt64(bits)
    spread = (spread | spread &<< 16) & 0x0000_ffff_0000_ffff
    spread = (spread | spread &<< 8) & 0x00ff_00ff_00ff_00ff
    spread = (spread | spread &<< 4) & 0x0f0f_0f0f_0f0f_0f0f
    return (spread + 0x6161_6161_6161_6161).littleEndian
  }
}
