/// Text for the fields of one version of one document. Two thirds of it are phrases out of a small
/// table and one third is random letters, so that snappy halves it, as it does with documents of the field.
///
/// Unit of 24 bytes: 8 letters from 32 random bits, then one of 64 phrases of 16 bytes.
struct FieldText {
  private(set) var words: [UInt64]
  let byteCount: Int
  private static let wordsPerUnit = 3
  private static let phrases: [UInt64] = {
    var random = SplitMix64(seed: 0x6c65_6166)
    return (0..<128).map { _ in letters(UInt32(truncatingIfNeeded: random.next())) }
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
    let phrases = FieldText.phrases
    for unit in stride(from: 0, to: words.count, by: FieldText.wordsPerUnit) {
      let bits = random.next()
      let phrase = Int(bits >> 58) * 2
      words[unit] = FieldText.letters(UInt32(truncatingIfNeeded: bits))
      words[unit + 1] = phrases[phrase]
      words[unit + 2] = phrases[phrase + 1]
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
