import Glibc
import StreamProxy

/// One input: five bytes that choose, then the recorded channels of one migration, one after the
/// other.
///
/// | byte | chooses |
/// |---|---|
/// | 0 | how many channels there are: one, two or three |
/// | 1 to 4 | how long the first and the second are, in 16 bits each |
@c(LLVMFuzzerTestOneInput)
public func fuzzInspect(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  guard let data = unsafe data, count > 5 else { return 0 }
  // The fuzzer gives `count` bytes that live during the call.
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  let channels = split(
    Array(bytes[5...]), into: 1 + Int(bytes[0]) % 3,
    [Int(bytes[1]) << 8 | Int(bytes[2]), Int(bytes[3]) << 8 | Int(bytes[4])])
  let found = inspect(channels)
  check(found)

  // The order of the files means nothing; which of several main channels is read, it does.
  if found.channels.count(where: { $0.kind == "main" || $0.kind == "recovery" }) < 2 {
    let turned = inspect(channels.reversed())
    precondition(turned.pages == found.pages, "the pages depend on the order")
    precondition(turned.isComplete == found.isComplete, "the end depends on the order")
  }
  // A description is cut by its last byte, and then nothing ends the stream.
  if channels.count == 1, found.isComplete, found.mode != "COLO", has(found, "description") {
    let cut = inspect([Array(channels[0].dropLast())])
    precondition(!cut.isComplete, "a cut stream is taken for complete")
  }
  return 0
}

private func split(_ bytes: [UInt8], into count: Int, _ lengths: [Int]) -> [[UInt8]] {
  var rest = bytes[...]
  var channels: [[UInt8]] = []
  for length in lengths.prefix(count - 1) {
    channels.append(Array(rest.prefix(length)))
    rest = rest.dropFirst(length)
  }
  return channels + [Array(rest)]
}

private func has(_ found: StreamInspection, _ kind: String) -> Bool {
  found.bytesByKind.contains { $0.kind == kind }
}

/// What holds for every set of channels.
private func check(_ found: StreamInspection) {
  precondition(
    found.bytesByKind.reduce(0) { $0 + $1.bytes } == found.bytes, "the bytes' account is wrong")
  // A section in which a connection broke has not been read to its end.
  precondition(
    !found.isComplete || !has(found, "unread") || found.channels.contains(where: \.recovered),
    "something was not read, and nothing is said")
  let blocks = found.channels.flatMap(\.blocks)
  precondition(
    blocks.reduce(0) { $0 + $1.normal + $1.zero + $1.xbzrle + $1.compressed }
      == found.pages.normal + found.pages.zero + found.pages.xbzrle + found.pages.compressed,
    "the blocks' account is wrong")
  if found.isComplete {
    let states = found.bytesByKind.first { $0.kind == "device states" }?.bytes ?? 0
    precondition(
      found.deviceStates.reduce(0) { $0 + $1.bytes } == states, "a device state is left out")
    // A recovery's lie in another file.
    if found.channels.count == 1 {
      for (state, next) in zip(found.deviceStates, found.deviceStates.dropFirst()) {
        precondition(state.offset + state.bytes == next.offset, "device states lie apart")
      }
    }
  }
  precondition(!found.text.isEmpty, "there is nothing to print")
  precondition((try? found.json()) != nil, "there is no JSON")
}

/// The inspection of channels that have been put into files.
private func inspect(_ channels: [[UInt8]]) -> StreamInspection {
  let paths = channels.enumerated().map { Slot.all[$0].fill($1) }
  guard let found = try? StreamInspector.inspect(paths: paths) else {
    preconditionFailure("a file cannot be read")
  }
  return found
}

/// A file in memory without a name, which is filled anew for each input.
private struct Slot {
  static let all = [Slot(0), Slot(1), Slot(2)]

  private let descriptor: Int32

  private init(_ number: Int) {
    let path = "/dev/shm/leafcutter-fuzz-\(getpid())-\(number)"
    // The path is a string for the duration of the calls.
    descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    precondition(descriptor >= 0, "there is no room in /dev/shm")
    unsafe unlink(path)
  }

  /// The path by which it is opened.
  func fill(_ bytes: [UInt8]) -> String {
    // The array lives through the call.
    precondition(
      unsafe ftruncate(descriptor, 0) == 0
        && pwrite(descriptor, bytes, bytes.count, 0) == bytes.count,
      "the file cannot be filled")
    return "/proc/self/fd/\(descriptor)"
  }
}
