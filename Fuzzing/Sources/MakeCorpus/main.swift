import Glibc
import HookLink
import StreamSamples

// Writes inputs for the fuzz targets to begin with, of every kind of stream that a source sends:
// make-corpus FOLDER fills a folder in it for each target.

guard CommandLine.arguments.count == 2 else {
  print("usage: make-corpus FOLDER")
  exit(64)
}
let folder = CommandLine.arguments[1]

func write(_ bytes: [UInt8], to name: String) {
  // The path is a string and the array alive for the duration of the calls.
  guard let file = unsafe fopen("\(folder)/\(name)", "w") else {
    print("cannot write \(folder)/\(name)")
    exit(1)
  }
  unsafe fwrite(bytes, 1, bytes.count, file)
  unsafe fclose(file)
}

for target in ["FuzzPageFilter", "FuzzMultifd", "FuzzInspect", "FuzzHookLink"] {
  // As above; a folder that is there is fine.
  _ = unsafe mkdir("\(folder)/\(target)", 0o755)
}

/// - Parameter beginning: which channel it is, for the fuzz target's first byte; 4 is a recorded one.
func write(_ sample: SampleStream, _ name: String, beginning: UInt8) {
  for (way, choices) in [
    [0, 0b0010_0110, 1, 2, 3, 4, 2, 0], [1, 0xff, 9, 8, 7, 6, 0, 0], [6, 0xff, 5, 5, 5, 5, 1, 2],
  ].enumerated() as EnumeratedSequence<[[UInt8]]> {
    var input = choices + sample.bytes
    input[0] |= beginning << 3
    write(input, to: "FuzzPageFilter/\(name)-\(way)")
  }
}

for (index, sample) in SampleStream.editable.enumerated() {
  write(sample, "sample-\(index)", beginning: 0)
}
for (index, sample) in PassedSample.all.enumerated() {
  write(sample.stream, "passed-\(index)", beginning: 0)
  write(sample.stream, "recorded-\(index)", beginning: 4)
}
for (index, sample) in SampleStream.multifdMains.enumerated() {
  write(sample, "multifd-main-\(index)", beginning: 0)
}
// Its first 40000 bytes are used: the chunk is cut.
write(.disks(chunk: true), "disk-chunk", beginning: 0)
write(.preemptWithoutPages(), "preempt-empty", beginning: 1)
// One whose pages have the size that multifd channels carry.
write(.multifdMarkers(pageBits: 12), "multifd-main", beginning: 0)
for ends in [false, true] {
  // Pages as large as those of the main channel that the target knows, and of the usual size.
  write(.preempt(ends: ends, pageBits: 10), "preempt-\(ends)", beginning: 1)
  write(.preempt(ends: ends), "preempt-alone-\(ends)", beginning: 2)
}
write(.recovery(), "recovery", beginning: 3)

let channels: [MultifdStream] =
  [.modern(), .old()] + [.zlib, .zstd, .qpl, .uadk, .qatzip].map { .compressed($0) }
for (index, stream) in channels.enumerated() {
  for (way, choices) in [[0, 0b0010_0110, 7, 5], [1, 0, 200, 1], [2, 0xff, 0, 9]]
    .enumerated() as EnumeratedSequence<[[UInt8]]>
  {
    write(choices + stream.bytes, to: "FuzzMultifd/channel-\(index)-\(way)")
  }
}

// Up to three channels of one migration, with the lengths of those in front of the last.
func write(_ channels: [[UInt8]], _ name: String) {
  let lengths = (channels.dropLast().map(\.count) + [0, 0]).prefix(2)
  let choices =
    [UInt8(channels.count - 1)] + lengths.flatMap { [UInt8($0 >> 8 & 0xff), UInt8($0 & 0xff)] }
  write(choices + channels.flatMap(\.self), to: "FuzzInspect/\(name)")
}
for (index, sample) in SampleStream.editable.enumerated() {
  write([sample.bytes], "main-\(index)")
}
for (index, sample) in PassedSample.all.enumerated() {
  write([sample.stream.bytes], "passed-\(index)")
}
for (index, stream) in channels.enumerated() { write([stream.bytes], "multifd-\(index)") }
for (index, main) in SampleStream.multifdMains.enumerated() {
  write([main.bytes, MultifdStream.modern().bytes], "main-and-multifd-\(index)")
}
for size in [0, -1, 3] {
  let main = SampleStream.multifdPerSection(description: size)
  write([main.bytes, MultifdStream.modern().bytes], "page-size-\(size)-and-multifd")
}
write(
  [SampleStream.postCopy().bytes, SampleStream.preempt(pageBits: 10).bytes], "main-and-preempt")
write([SampleStream.postCopy().bytes, SampleStream.preemptWithoutPages().bytes], "main-and-none")
write([SampleStream.postCopy().bytes, SampleStream.recovery().bytes], "main-and-recovery")
for cut in [1, 2000] {
  write(
    [
      Array(SampleStream.postCopy().bytes.dropLast(cut)),
      Array(SampleStream.preempt(pageBits: 10).bytes.dropLast(cut)), SampleStream.recovery().bytes,
    ], "broken-\(cut)-and-recovery")
}
write([SampleStream.preempt(ends: true).bytes], "preempt")

let migration = MigrationID(high: 1, low: 2)
let messages: [any Message] = [
  GuestMessage.Mark(guestPhysicalAddress: 1 << 32, time: 5, guardianVersion: "1"),
  HeldPages(firstPage: 512, bitmap: [UInt8](repeating: 0x55, count: 64)),
  GuestMessage.ReportEnd(
    pages: 4, pagesZeroed: 0, probes: [1 << 32], leavesListed: 3, leavesInManifest: 2,
    leavesEvicted: 1,
    steps: [StepTime(step: "evict", nanoseconds: 9)], notes: ["a note"]),
  GuestMessage.Revoke(sequence: 1, ranges: [PageRange(first: 512, count: 4)]),
  GuestMessage.Revoke(sequence: 2, ranges: nil),
  HostMessage.Prepare(
    postcopyPossible: true, zeroHeldFrames: false, timeoutMilliseconds: 7,
    segments: [MemorySegment(start: 1 << 20, length: 1 << 30)]),
  HostMessage.Abort(reason: "because"),
]
for (index, message) in messages.enumerated() {
  let frame = message.frame(for: migration)
  write([1, 6] + frame + frame, to: "FuzzHookLink/frame-\(index)")
  let payload = frame[Frame.headerSize..<frame.count - Frame.checksumSize]
  write([0, UInt8(type(of: message).code)] + payload, to: "FuzzHookLink/payload-\(index)")
}
