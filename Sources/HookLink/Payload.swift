/// Why a message could not be decoded.
public enum MessageError: Error, Equatable, Sendable {
  /// The payload ended before the named field was complete.
  case truncated(field: StaticString)
  /// A count or length in the payload is beyond what the protocol allows.
  case outOfRange(field: StaticString, value: UInt64)
  /// A text field is not UTF-8, or has control characters in it.
  case notText(field: StaticString)
  /// The payload goes on after its last field.
  case trailingBytes(Int)
  /// This side does not know the message type.
  case unknownType(UInt16)

  public static func == (left: MessageError, right: MessageError) -> Bool {
    left.description == right.description
  }
}

extension MessageError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .truncated(let field): "the message ends inside its field '\(field)'"
    case .outOfRange(let field, let value): "field '\(field)' holds \(value), which is out of range"
    case .notText(let field): "field '\(field)' is not plain UTF-8 text"
    case .trailingBytes(let count): "\(count) bytes follow the message's last field"
    case .unknownType(let type): "message type \(type) is not known to this version"
    }
  }
}

/// Writes the fields of one payload: integers little-endian, texts and byte strings with a
/// 32-bit length in front.
public struct PayloadWriter: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public mutating func put<Integer: FixedWidthInteger>(_ value: Integer) {
    for index in 0..<MemoryLayout<Integer>.size {
      bytes.append(UInt8(truncatingIfNeeded: value >> Integer(index * 8)))
    }
  }

  public mutating func put(_ value: Bool) { put(UInt8(value ? 1 : 0)) }

  /// Two 64-bit words, high first.
  public mutating func put(_ migration: MigrationID) {
    put(migration.high)
    put(migration.low)
  }

  public mutating func put(_ value: [UInt8]) {
    put(UInt32(value.count))
    bytes.append(contentsOf: value)
  }

  /// Writes a text as its reader takes it: at most `limit` bytes, cut off before a character that
  /// does not fit, and with blanks for control characters.
  public mutating func put(_ text: String, limit: Int = PayloadReader.textLimit) {
    var bytes: [UInt8] = []
    for scalar in text.unicodeScalars {
      let plain = scalar.isControl ? " " : scalar
      let encoded = UTF8.encode(plain)!
      guard bytes.count + encoded.count <= limit else { break }
      bytes.append(contentsOf: encoded)
    }
    put(bytes)
  }

  public mutating func put<Element>(
    list: [Element], _ each: (inout PayloadWriter, Element) -> Void
  ) {
    put(UInt32(list.count))
    for element in list { each(&self, element) }
  }

  /// The most bytes that a message's notes take. Other processes write them, and a message has to fit into a
  /// frame, so a long list is cut.
  static let notesLimit = 48 * 1024

  public mutating func put(notes: [String]) {
    put(list: notes, within: PayloadWriter.notesLimit) { $0.put($1) }
  }

  /// Writes the list's first elements, as many as take no more than `limit` bytes.
  public mutating func put<Element>(
    list: [Element], within limit: Int, _ each: (inout PayloadWriter, Element) -> Void
  ) {
    var elements = PayloadWriter()
    var count = 0
    for element in list {
      let before = elements.bytes.count
      each(&elements, element)
      guard elements.bytes.count <= limit else {
        elements.bytes.removeLast(elements.bytes.count - before)
        break
      }
      count += 1
    }
    put(UInt32(count))
    bytes.append(contentsOf: elements.bytes)
  }
}

/// Reads what ``PayloadWriter`` wrote. Every length is checked against what is really there before
/// anything is allocated, because the other end is not trusted.
public struct PayloadReader {
  /// Bytes of a text field that has no limit of its own.
  public static let textLimit = 4096

  private let bytes: [UInt8]
  private var position = 0

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public var remaining: Int { bytes.count - position }

  public mutating func integer<Integer: FixedWidthInteger>(
    _ field: StaticString, as type: Integer.Type = Integer.self
  ) throws(MessageError) -> Integer {
    let width = MemoryLayout<Integer>.size
    guard remaining >= width else { throw .truncated(field: field) }
    var value: Integer = 0
    for index in 0..<width {
      value |= Integer(truncatingIfNeeded: bytes[position + index]) << Integer(index * 8)
    }
    position += width
    return value
  }

  public mutating func flag(_ field: StaticString) throws(MessageError) -> Bool {
    let value = try integer(field, as: UInt8.self)
    guard value < 2 else { throw .outOfRange(field: field, value: UInt64(value)) }
    return value == 1
  }

  /// Sixteen bytes, the high half first.
  public mutating func migration(_ field: StaticString) throws(MessageError) -> MigrationID {
    MigrationID(high: try integer(field), low: try integer(field))
  }

  public mutating func byteString(
    _ field: StaticString, limit: Int
  ) throws(MessageError) -> [UInt8] {
    let count = Int(try integer(field, as: UInt32.self))
    guard count <= limit else { throw .outOfRange(field: field, value: UInt64(count)) }
    guard remaining >= count else { throw .truncated(field: field) }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  public mutating func text(
    _ field: StaticString, limit: Int = PayloadReader.textLimit
  ) throws(MessageError) -> String {
    let raw = try byteString(field, limit: limit)
    // Texts are shown and logged, and the peer is not trusted with a terminal.
    guard let text = String(validating: raw, as: UTF8.self),
      !text.unicodeScalars.contains(where: \.isControl)
    else { throw .notText(field: field) }
    return text
  }

  /// Reads a counted list of at most `limit` elements; `minimumSize` is the least number of bytes an
  /// element takes, so that a lying count cannot make this side allocate.
  public mutating func list<Element>(
    _ field: StaticString, minimumSize: Int, limit: Int = .max,
    _ each: (inout PayloadReader) throws(MessageError) -> Element
  ) throws(MessageError) -> [Element] {
    let count = Int(try integer(field, as: UInt32.self))
    guard count * minimumSize <= remaining, count <= limit else {
      throw .outOfRange(field: field, value: UInt64(count))
    }
    var elements: [Element] = []
    elements.reserveCapacity(count)
    for _ in 0..<count { elements.append(try each(&self)) }
    return elements
  }

  /// Reads what ``PayloadWriter/put(notes:)`` wrote.
  public mutating func notes() throws(MessageError) -> [String] {
    try list("notes", minimumSize: 4) { reader throws(MessageError) in try reader.text("note") }
  }

  /// Checks that the payload has been read to its end.
  public func finish() throws(MessageError) {
    guard remaining == 0 else { throw .trailingBytes(remaining) }
  }
}

extension Unicode.Scalar {
  /// C0, DEL and C1 (ECMA-48).
  fileprivate var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
}

/// One message's body: a type code of its own and a payload.
public protocol Message: Sendable {
  /// The code in the frame's type field; unique over all links.
  static var code: UInt16 { get }
  func write(to payload: inout PayloadWriter)
  init(from payload: inout PayloadReader) throws(MessageError)
}

extension Message {
  /// The whole frame that carries this message.
  public func frame(for migration: MigrationID) -> [UInt8] {
    var payload = PayloadWriter()
    write(to: &payload)
    return Frame(type: Self.code, migration: migration, payload: payload.bytes).encoded()
  }

  static func read(_ frame: Frame) throws(MessageError) -> Self {
    var reader = PayloadReader(frame.payload)
    let message = try Self(from: &reader)
    try reader.finish()
    return message
  }
}
