import CGuestSystem
import Checksum
import Glibc
import HookLink
import Testing

@testable import Guardian

@Suite struct PeerComplaintsTests {
  private let hour: UInt64 = 3_600_000_000_000

  @Test("the same of the same process is said once an hour")
  func onceAnHour() {
    let times: [(complaint: String, process: pid_t, at: UInt64)] = [
      ("a", 1, hour), ("a", 1, hour + 1), ("b", 1, hour + 2), ("a", 2, hour + 2),
      ("a", 1, 2 * hour - 1), ("a", 1, 2 * hour),
    ]
    var complaints = PeerComplaints()
    let due = times.map { complaints.isDue($0.complaint, of: $0.process, at: $0.at) }
    #expect(due == [true, false, true, true, false, true])
  }

  @Test("however much is complained of, only so much is kept")
  func isBounded() {
    var complaints = PeerComplaints()
    let due = (Array(1...1000) + [1000, 1]).map { complaints.isDue("a", of: $0, at: 5) }
    #expect(due == [Bool](repeating: true, count: 1000) + [false, true])
  }

  @Test("a database of another release that comes back and back is told each time, and logged once")
  func anotherRelease() throws {
    let guardian = GuardianInProcess()
    for _ in 0..<5 {
      let socket = Descriptor(owning: unsafe leafcutter_guest_connect_unix(guardian.socket))
      try #require(socket.number >= 0)
      let bytes = ofNextVersion(LocalMessage.Released().frame(for: .none))
      // As many bytes as the array has.
      #expect(unsafe send(socket.number, bytes, bytes.count, 0) == bytes.count)
      let answer = try #require(LocalConnection(socket).awaitFrame(milliseconds: 10_000))
      #expect(answer.type == LocalMessage.Failed.code)
    }
    let said = guardian.log.entries.filter { "\($0.message)".contains("on the local socket") }
    #expect(said.count == 1, "\(said.map(\.message))")
    let version = Frame.protocolVersion + 1
    #expect(said.allSatisfy { "\($0.message)".contains("speaks version \(version)") })
  }

  private func ofNextVersion(_ frame: [UInt8]) -> [UInt8] {
    var body = Array(frame[Frame.marker.count..<frame.count - Frame.checksumSize])
    body[0] += 1
    let checksum = CRC32C.checksum(of: body[...])
    return Frame.marker + body + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) }
  }
}
