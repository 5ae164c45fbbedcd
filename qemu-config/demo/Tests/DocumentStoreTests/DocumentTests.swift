import Testing

@testable import DocumentStore

struct DocumentTests {
  let shape = CollectionShape(documents: 1000, documentBytes: 1000, seed: 7)

  private func encoded(_ recordID: Int64, version: Int64) -> [UInt8] {
    DocumentWriter(shape).withDocument(recordID: recordID, version: version) { bytes in
      // Copied while it is lent.
      unsafe bytes.withUnsafeBytes { unsafe Array($0) }
    }
  }

  private func check(_ bytes: [UInt8], _ recordID: Int64) throws(DocumentFault) -> Int64 {
    // Bytes of an array are initialised bytes.
    try unsafe DocumentReader().check(bytes.span.bytes, recordID: recordID)
  }

  @Test func aDocumentHasTheSizeAskedForAndPassesItsOwnCheck() throws {
    for size in [300, 301, 999, 1000, 8192] {
      let writer = DocumentWriter(CollectionShape(documents: 1, documentBytes: size, seed: 1))
      try writer.withDocument(recordID: 1, version: 3) { bytes throws(DocumentFault) in
        #expect(bytes.byteCount == size)
        #expect(try DocumentReader().check(bytes, recordID: 1) == 3)
      }
    }
  }

  @Test func theSameSeedRecordAndVersionGiveTheSameBytesAndOthersDoNot() {
    #expect(encoded(5, version: 2) == encoded(5, version: 2))
    #expect(encoded(5, version: 2) != encoded(5, version: 3))
    #expect(encoded(5, version: 2) != encoded(6, version: 2))
  }

  @Test func everyFlippedBitIsNoticed() {
    let good = encoded(9, version: 1)
    for position in good.indices {
      for bit in 0..<8 {
        var bad = good
        bad[position] ^= 1 << UInt8(bit)
        #expect(throws: DocumentFault.self) {
          try check(bad, 9)
        }
      }
    }
  }

  @Test func aDocumentOfAnotherRecordAndACutOrZeroedOneAreNoticed() {
    let good = encoded(9, version: 1)
    #expect(throws: DocumentFault.otherRecord) {
      try check(good, 10)
    }
    for length in 0..<good.count {
      #expect(throws: DocumentFault.self) {
        try check(Array(good[..<length]), 9)
      }
    }
    let zeroed = [UInt8](repeating: 0, count: good.count)
    #expect(throws: DocumentFault.notBSON) {
      try check(zeroed, 9)
    }
  }

  @Test(
    arguments: [
      ("", 0, 0xEF46_DB37_51D8_E999),
      ("a", 0, 0xD24E_C4F1_A98C_6E5B),
      ("abc", 0, 0x44BC_2CF5_AD77_0999),
    ] as [(String, UInt64, UInt64)])
  func checksumsAreThoseOfXXH64(_ text: String, _ seed: UInt64, _ expected: UInt64) {
    // Bytes of an array are initialised bytes.
    let checksum = unsafe XXH64.checksum(of: Array(text.utf8).span.bytes, seed: seed)
    #expect(checksum == expected)
  }
}
