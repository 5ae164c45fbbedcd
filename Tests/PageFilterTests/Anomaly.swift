import PageFilter
import StreamSamples

/// Something that an editor does not know or must not believe.
struct Anomaly: Sendable, CustomStringConvertible {
  enum Place { case inRAM, betweenSections, instead }

  var description: String
  var reason: BypassReason
  /// Where it stands: among RAM records, where an element is expected, or instead of a footer.
  var place: Place
  var bytes: [UInt8]

  init(
    _ description: String, _ reason: BypassReason, _ place: Place,
    _ build: (inout StreamBuilder) -> Void
  ) {
    self.description = description
    self.reason = reason
    self.place = place
    var builder = StreamBuilder("anomaly")
    build(&builder)
    bytes = builder.sample.bytes
  }

  /// A record that continues block 0 at its page 3.
  private static func record(_ flags: UInt64, _ reason: BypassReason? = nil) -> Anomaly {
    Anomaly(
      "record with flags 0x\(String(flags, radix: 16))", reason ?? .unknownRecord(flags: flags),
      .inRAM
    ) { $0.put(integer: UInt64(3 << 10) | flags) }
  }

  private static func element(_ type: UInt8) -> Anomaly {
    Anomaly("element 0x\(String(type, radix: 16))", .unknownElement(type), .betweenSections) {
      $0.put(type)
    }
  }

  static let records = [
    // FULL, no kind, two kinds, RDMA's hook, EOS and FLUSH with more, CONTINUE on its own.
    record(0x001), record(0x000), record(0x00a), record(0x028 | 0x002), record(0x080),
    record(0x018), record(0x220), record(0x020), record(0x148),
    record(0x060, .xbzrle), record(0x040, .xbzrle), record(0x120, .compressedPages),
    record(0x004, .malformed("a second list of RAM blocks")),
    Anomaly("page of an unknown block", .unknownBlock("vga.vram"), .inRAM) {
      $0.put(integer: UInt64(0x008))
      $0.put(name: "vga.vram")
    },
    Anomaly(
      "page beyond its block", .pageBeyondBlock(name: "pc.bios", offset: 2 << 10), .inRAM
    ) {
      $0.put(integer: UInt64(2 << 10) | 0x008)
      $0.put(name: "pc.bios")
    },
    Anomaly(
      "ZERO record at the end of all addresses",
      .pageBeyondBlock(name: "pc.ram", offset: .max << 10), .inRAM
    ) {
      $0.put(integer: UInt64.max << 10 | 0x002)
      $0.put(name: "pc.ram")
    },
  ]

  static let elements = [
    element(0x05), element(0x06), element(0x07), element(0x09), element(0x7e), element(0xff),
    Anomaly("unknown iterable", .unknownSection(name: "mystery"), .betweenSections) {
      $0.open(1, id: 30, "mystery", version: 1)
    },
    Anomaly("RAM of another version", .unknownRAMVersion(5), .betweenSections) {
      $0.open(1, id: 30, "ram", version: 5)
    },
    Anomaly("PART of nothing", .unknownSectionID(99), .betweenSections) { $0.reopen(2, id: 99) },
    Anomaly("END of nothing", .unknownSectionID(98), .betweenSections) { $0.reopen(3, id: 98) },
    Anomaly("device state before the end of RAM", .earlyDeviceState("cpu"), .betweenSections) {
      $0.open(4, id: 31, "cpu", version: 1)
    },
    Anomaly(
      "early virtio-mem of another version", .earlyDeviceState("x/virtio-mem-device-early"),
      .betweenSections
    ) {
      $0.open(4, id: 31, "x/virtio-mem-device-early", version: 2)
    },
    Anomaly("COLO", .colo, .betweenSections) { $0.command(8) },
    Anomaly("PACKAGED of a strange length", .malformed("the PACKAGED command"), .betweenSections) {
      $0.command(7, [1, 2])
    },
    Anomaly("end of the stream before the end of RAM", .endBeforeRAM, .betweenSections) {
      $0.put(0x00)
    },
    Anomaly(
      "footer of another section", .footerMismatch(expected: 2, found: 3), .instead
    ) {
      $0.put(0x7e)
      $0.put(integer: UInt32(3))
    },
  ]
}

extension StreamBuilder {
  /// What stands after an anomaly: enough of it that no reader waits for more.
  static let rest: [UInt8] = (0..<400).map { UInt8(truncatingIfNeeded: $0 &* 37 | 1) }

  /// A stream with the anomaly in its PART.
  ///
  /// - Parameter afterPages: after pages that can be dropped, or in front of them.
  static func stream(with anomaly: Anomaly, afterPages: Bool) -> (stream: SampleStream, at: Int) {
    var build = StreamBuilder("\(anomaly) \(afterPages ? "after" : "before") pages")
    build.begin()
    build.startRAM([.init("pc.ram", pages: 9), .init("pc.bios", pages: 2)])
    build.endOfSection()
    build.reopen(2, id: 2)
    if afterPages {
      build.page(0, 1)
      build.page(0, 2)
      build.page(1, 0)
      build.page(0, 4)
    } else if anomaly.place == .inRAM {
      build.zero(0, 0)
    }
    switch anomaly.place {
    case .inRAM: break
    case .betweenSections: build.endOfSection()
    case .instead:
      build.footers = false
      build.endOfSection()
    }
    let offset = build.offset
    build.put(anomaly.bytes + rest)
    return (build.sample, offset)
  }
}
