import Checksum
import HookLink
import Testing

@Suite struct FrameTests {
  let migration = MigrationID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)

  func frames(in bytes: [UInt8]) throws -> [Frame] {
    var decoder = FrameDecoder()
    decoder.append(bytes)
    var found: [Frame] = []
    while let frame = try decoder.next() { found.append(frame) }
    return found
  }

  @Test func aFrameSplitAtAnyByteArrivesWhole() throws {
    let message = GuestMessage.Progress(activity: "evict", done: 7, total: 9)
    let bytes = message.frame(for: migration) + message.frame(for: migration)
    for cut in 0...bytes.count {
      var decoder = FrameDecoder()
      var found: [Frame] = []
      for part in [bytes[..<cut], bytes[cut...]] {
        decoder.append(part)
        while let frame = try decoder.next() { found.append(frame) }
      }
      #expect(found.count == 2, "cut at \(cut)")
      #expect(try found.allSatisfy { try GuestMessage($0) == .progress(message) })
      #expect(decoder.skipped == 0)
    }
  }

  @Test func aFrameIsFoundAgainAfterTheMiddleOfAnotherWasLost() throws {
    let lost = GuestMessage.Heartbeat(sequence: 1, time: 2).frame(for: migration)
    let whole = GuestMessage.Heartbeat(sequence: 3, time: 4)
    for kept in 0..<lost.count {
      let found = try frames(in: Array(lost[..<kept]) + whole.frame(for: migration))
      #expect(try found.map { try GuestMessage($0) } == [.heartbeat(whole)], "kept \(kept)")
    }
  }

  @Test func aFrameWithAnyByteChangedIsNeverAccepted() throws {
    let good = HostMessage.Acknowledge(sequence: 77).frame(for: migration)
    for position in good.indices {
      var bad = good
      bad[position] ^= 0x40
      let found = try frames(in: bad)
      #expect(found.isEmpty, "byte \(position)")
    }
  }

  @Test func anotherVersionIsRefusedByName() {
    var bytes = HostMessage.Acknowledge(sequence: 1).frame(for: migration)
    bytes[8] = 9
    let body = bytes[8..<bytes.count - 4]
    let checksum = CRC32C.checksum(of: body)
    for index in 0..<4 {
      bytes[bytes.count - 4 + index] = UInt8(truncatingIfNeeded: checksum >> UInt32(index * 8))
    }
    #expect(throws: LinkError.version(theirs: 9)) { try self.frames(in: bytes) }
  }

  @Test func aPeerThatSendsNothingButNonsenseIsGivenUp() {
    var decoder = FrameDecoder()
    #expect(throws: LinkError.self) {
      for _ in 0..<100 {
        decoder.append([UInt8](repeating: 0x4c, count: 64 * 1024))
        while try decoder.next() != nil {}
      }
    }
  }

  @Test func aPromisedLengthBeyondTheLimitIsNotWaitedFor() throws {
    var bytes = HostMessage.Acknowledge(sequence: 1).frame(for: migration)
    bytes[14] = 0xff
    let whole = HostMessage.Acknowledge(sequence: 2)
    let found = try frames(in: bytes + whole.frame(for: migration))
    #expect(try found.map { try HostMessage($0) } == [.acknowledge(whole)])
  }

  @Test func theChecksumIsTheOneOfRFC3720() {
    // RFC 3720, appendix B.4: 32 bytes of zeroes.
    #expect(CRC32C.checksum(of: [UInt8](repeating: 0, count: 32)[...]) == 0x8a91_36aa)
  }
}
