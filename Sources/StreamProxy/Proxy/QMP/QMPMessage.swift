import FoundationEssentials

/// What a QMP server sends, as far as it must be understood to pass it on: QEMU's
/// docs/interop/qmp-spec, one JSON object per line.
struct QMPMessage: Decodable {
  enum Kind {
    case greeting(QEMUVersion)
    /// `return` is decoded by whoever knows its type.
    case reply(id: UInt64)
    case error(id: UInt64?, errorClass: String, description: String)
    case event(GuestEvent?)
  }

  let kind: Kind

  private enum Key: String, CodingKey {
    case greeting = "QMP"
    case reply = "return"
    case error, event, id, data
  }

  private struct ErrorBody: Decodable {
    var `class`: String
    var desc: String
  }

  init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: Key.self)
    if object.contains(.event) {
      let name = try object.decode(String.self, forKey: .event)
      let data = try object.decodeIfPresent(GuestEvent.Data.self, forKey: .data)
      kind = .event(GuestEvent(name: name, data: data))
    } else if object.contains(.reply) {
      kind = .reply(id: try object.decode(UInt64.self, forKey: .id))
    } else if object.contains(.error) {
      let body = try object.decode(ErrorBody.self, forKey: .error)
      kind = .error(
        id: try object.decodeIfPresent(UInt64.self, forKey: .id), errorClass: body.class,
        description: body.desc)
    } else {
      kind = .greeting(try object.decode(Greeting.self, forKey: .greeting).version.qemu)
    }
  }

  private struct Greeting: Decodable {
    struct Version: Decodable { var qemu: QEMUVersion }
    var version: Version
  }

  /// - Returns: nil when `line` is not a QMP message.
  static func decode(_ line: ArraySlice<UInt8>) -> QMPMessage? {
    try? JSONDecoder().decode(QMPMessage.self, from: Data(line))
  }
}

/// What QEMU says it is.
public struct QEMUVersion: Decodable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public var major: Int
  public var minor: Int
  public var micro: Int

  public init(major: Int, minor: Int, micro: Int = 0) {
    self.major = major
    self.minor = minor
    self.micro = micro
  }

  public static func < (left: QEMUVersion, right: QEMUVersion) -> Bool {
    (left.major, left.minor, left.micro) < (right.major, right.minor, right.micro)
  }

  public var description: String { "\(major).\(minor).\(micro)" }
}

/// A command on its way to QEMU.
struct QMPRequest<Arguments: Encodable>: Encodable {
  var execute: String
  var arguments: Arguments?
  var id: UInt64

  func encoded() throws -> [UInt8] { [UInt8](try JSONEncoder().encode(self)) + [0x0a] }
}

/// The `return` of a reply.
struct QMPReturn<Result: Decodable>: Decodable {
  let result: Result

  private enum Key: String, CodingKey { case result = "return" }

  init(from decoder: any Decoder) throws {
    result = try decoder.container(keyedBy: Key.self).decode(Result.self, forKey: .result)
  }

  static func decode(_ reply: [UInt8]) throws -> Result {
    try JSONDecoder().decode(Self.self, from: Data(reply)).result
  }
}

/// Cuts what arrives into lines.
struct QMPLines {
  private var buffer: [UInt8] = []
  private var searched = 0

  /// Whether the beginning of a line is waiting for the rest.
  var isPartial: Bool { !buffer.isEmpty }

  /// Adds bytes and hands every line that is complete to `body`, without its end.
  ///
  /// - Returns: false when a line is longer than `limit`; the rest is of no use then.
  mutating func append(
    _ bytes: ArraySlice<UInt8>, limit: Int, _ body: (ArraySlice<UInt8>) -> Void
  ) -> Bool {
    buffer.append(contentsOf: bytes)
    var start = 0
    while let end = buffer[searched...].firstIndex(of: 0x0a) {
      let isTooLong = end - start > limit
      if isTooLong { return false }
      let line = buffer[start..<end]
      // QEMU ends lines with CR LF, and an empty line is none.
      if line.contains(where: { $0 != 0x0d }) { body(line) }
      start = end + 1
      searched = start
    }
    buffer.removeFirst(start)
    searched = buffer.count
    return buffer.count <= limit
  }
}
