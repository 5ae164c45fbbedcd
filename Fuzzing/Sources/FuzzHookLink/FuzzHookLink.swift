import HookLink

/// One input: a byte that chooses, then what arrives on a link.
///
/// With bit 0 of the first byte the bytes arrive as they are; without it they are the payload of a
/// whole frame whose type is the second byte, so that every message's reader is reached: all types are
/// below 256.
@c(LLVMFuzzerTestOneInput)
public func fuzzHookLink(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  guard let data = unsafe data, count > 2 else { return 0 }
  // The fuzzer gives `count` bytes that live during the call.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  let rest = Array(bytes[2...].prefix(Frame.maximumPayload))
  if bytes[0] & 1 == 1 {
    let whole = decode(rest, by: rest.count)
    precondition(whole == decode(rest, by: 1 + Int(bytes[1])), "the frames depend on the cuts")
    for frame in whole.frames { read(frame) }
    _ = MarkPage(parsing: rest)
  } else {
    let migration = MigrationID(high: 1, low: UInt64(bytes[1]))
    let frame = Frame(type: UInt16(bytes[1]), migration: migration, payload: rest)
    let encoded = frame.encoded()
    let found = decode([0x4c, 0x43] + encoded, by: encoded.count)
    precondition(found.frames == [frame], "a frame does not survive its own encoding")
    read(frame)
  }
  return 0
}

private struct Decoded: Equatable {
  var frames: [Frame] = []
  var failure: LinkError?
}

private func decode(_ bytes: [UInt8], by size: Int) -> Decoded {
  var decoded = Decoded()
  var decoder = FrameDecoder()
  do throws(LinkError) {
    for start in stride(from: 0, to: bytes.count, by: size) {
      decoder.append(bytes[start..<min(start + size, bytes.count)])
      while let frame = try decoder.next() { decoded.frames.append(frame) }
    }
  } catch {
    decoded.failure = error
  }
  return decoded
}

/// A message that can be read says the same when it is written and read again.
private func read(_ frame: Frame) {
  if let message = try? GuestMessage(frame) {
    let again = rewritten(message.body, frame)
    precondition((try? GuestMessage(again)) == message, "a guest's message changes")
  }
  if let message = try? HostMessage(frame) {
    let again = rewritten(message.body, frame)
    precondition((try? HostMessage(again)) == message, "a host's message changes")
  }
  _ = try? LocalMessage(frame)
}

private func rewritten(_ message: any Message, _ frame: Frame) -> Frame {
  var payload = PayloadWriter()
  message.write(to: &payload)
  return Frame(type: frame.type, migration: frame.migration, payload: payload.bytes)
}

extension GuestMessage {
  fileprivate var body: any Message {
    switch self {
    case .mark(let body): body
    case .held(let body): body
    case .reportEnd(let body): body
    case .revoke(let body): body
    case .heartbeat(let body): body
    case .progress(let body): body
    case .declined(let body): body
    case .resumed(let body): body
    }
  }
}

extension HostMessage {
  fileprivate var body: any Message {
    switch self {
    case .prepare(let body): body
    case .acknowledge(let body): body
    case .abort(let body): body
    }
  }
}
