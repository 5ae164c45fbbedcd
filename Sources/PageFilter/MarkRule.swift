/// The page whose copies prove that the guest still holds what it reported, and what is written
/// into them on their way.
public struct MarkRule: Sendable {
  public let address: PageAddress
  /// A copy is recognised by these bytes at this offset, and by ``zeroes``.
  public let identification: [UInt8]
  public let identificationOffset: Int
  /// Bytes of the page that are zero in every copy. A frame that its owner has let go keeps what was in it where the
  /// next owner has not written, so the identification alone is not proof of the page, and the verdict must not
  /// be written over what is somebody else's.
  public let zeroes: Range<Int>
  /// These bytes are put over a recognised copy at this offset.
  public let verdict: [UInt8]
  public let verdictOffset: Int

  /// - Precondition: all of them lie inside a target page of 4096 bytes, and the verdict is at most 256 bytes.
  public init(
    address: PageAddress, identification: [UInt8], identificationOffset: Int,
    zeroes: Range<Int> = 0..<0, verdict: [UInt8], verdictOffset: Int
  ) {
    precondition(identificationOffset >= 0 && identificationOffset + identification.count <= 4096)
    precondition(verdictOffset >= 0 && verdictOffset + verdict.count <= 4096)
    precondition(zeroes.lowerBound >= 0 && zeroes.upperBound <= 4096)
    // What one record can need of an edit list is limited.
    precondition(verdict.count <= 256)
    self.address = address
    self.identification = identification
    self.identificationOffset = identificationOffset
    self.zeroes = zeroes
    self.verdict = verdict
    self.verdictOffset = verdictOffset
  }

  /// Whether these bytes, a whole target page, are a copy. A page that is too small for the rule is none.
  func recognises(_ page: [UInt8]) -> Bool {
    let end = identificationOffset + identification.count
    return end <= page.count && verdictOffset + verdict.count <= page.count
      && zeroes.upperBound <= page.count
      && page[identificationOffset..<end].elementsEqual(identification)
      && page[zeroes].allSatisfy { $0 == 0 }
  }
}
