import PageFilter

/// Reads one recorded multifd channel: headers are looked at, payloads are skipped.
struct MultifdInspector {
  private let file: RecordedChannel
  private let pageSize: Int
  /// By name; empty where no main channel is at hand that would have announced them.
  private let blocks: [String: UInt64]
  private var multifd = StreamInspection.Multifd()
  private var pages: [String: StreamInspection.Pages] = [:]
  private var headerBytes: UInt64 = 0
  private var pageBytes: UInt64 = 0
  private var deviceBytes: UInt64 = 0

  /// - Parameter main: what the main channel has told, if it is at hand.
  static func inspect(
    _ file: RecordedChannel, main: StreamInspection?
  ) throws(SystemError) -> StreamInspection {
    var inspector = MultifdInspector(file, main)
    let problem = try inspector.follow()
    return inspector.summary(problem)
  }

  private init(_ file: RecordedChannel, _ main: StreamInspection?) {
    self.file = file
    pageSize = main?.targetPageSize ?? 4096
    blocks = Dictionary((main?.blocks ?? []).map { ($0.name, $0.bytes) }) { first, _ in first }
  }

  /// What the channel ends with that it should not, or nil.
  private mutating func follow() throws(SystemError) -> StreamInspection.Problem? {
    if try isOld() {
      return .init(
        offset: UInt64(MultifdHeader.oldGreetingLength),
        sentence: "x-multifd of QEMU before 4.0 is not followed")
    }
    var isFirst = true
    while true {
      let offset = file.offset
      let reading: MultifdHeader.Reading
      do throws(BypassReason) {
        // Borrowed for the call only.
        reading = try unsafe MultifdHeader.read(
          file.bytes.bytes, isFirst: isFirst, pageSize: pageSize)
      } catch {
        return .init(
          offset: offset, sentence: "the channel cannot be followed from here on: \(error)")
      }
      switch reading {
      case .needs(let count):
        if try file.readMore() { continue }
        let left = file.count
        // A channel ends between two packets (`multifd.c:multifd_recv_thread`).
        if left == 0, !isFirst { return nil }
        return .init(
          offset: offset + UInt64(left),
          sentence: "the channel ends inside a header that needs \(count) bytes")
      case .header(let header, let length):
        if let reason = enter(header) {
          return .init(
            offset: offset, sentence: "the channel cannot be followed from here on: \(reason)")
        }
        isFirst = false
        file.consume(length)
        headerBytes += UInt64(length)
        let payload = header.payload
        let skipped = try file.skip(payload)
        if case .deviceState = header {
          deviceBytes += UInt64(skipped)
        } else {
          pageBytes += UInt64(skipped)
        }
        guard skipped == payload else {
          return .init(
            offset: file.offset, sentence: "the channel ends inside what a packet carries")
        }
      }
    }
  }

  /// Whether it is a channel of x-multifd, as it was before 4.0.
  private func isOld() throws(SystemError) -> Bool {
    while true {
      // Borrowed for the call only.
      if let isOld = unsafe MultifdHeader.isOld(file.bytes.bytes) { return isOld }
      // Today's begins with more bytes at once, so it does not end here.
      guard try file.readMore() else { return file.count == MultifdHeader.oldGreetingLength }
    }
  }

  /// Counts a header, or says why it cannot be one of this migration.
  private mutating func enter(_ header: MultifdHeader) -> BypassReason? {
    switch header {
    case .hello(let channel):
      multifd.id = Int(channel)
      return nil
    case .deviceState:
      multifd.deviceStatePackets += 1
    case .pages(let packet):
      if let highest = packet.highestOffset {
        if !blocks.isEmpty {
          guard let length = blocks[packet.block] else { return .unknownBlock(packet.block) }
          guard highest < length else {
            return .pageBeyondBlock(name: packet.block, offset: highest)
          }
        }
        // A channel of any length must not cost memory of any size.
        guard pages[packet.block] != nil || pages.count < 4096 else {
          return .unknownBlock(packet.block)
        }
        pages[packet.block, default: .none] += .init(normal: packet.normal, zero: packet.zero)
        multifd.compression = multifd.compression ?? packet.compression.name
      }
      if packet.isSync { multifd.syncPackets += 1 }
    }
    multifd.packets += 1
    return nil
  }

  private func summary(_ problem: StreamInspection.Problem?) -> StreamInspection {
    var inspection = StreamInspection(targetPageSize: pageSize)
    inspection.problem = problem
    inspection.pages = pages.values.reduce(into: .none) { $0 += $1 }
    // What is left is less than a header.
    inspection.bytes = file.offset + UInt64(file.count)
    inspection.bytesByKind = StreamInspection.complete(
      [
        .init(kind: "multifd headers", bytes: headerBytes),
        .init(kind: "multifd pages", bytes: pageBytes),
        .init(kind: "multifd device states", bytes: deviceBytes),
      ], to: inspection.bytes)
    inspection.channels = [
      .init(
        file: file.name, kind: "multifd", bytes: inspection.bytes, problem: problem,
        pages: inspection.pages,
        blocks: pages.sorted { $0.key < $1.key }.map {
          .init(name: $0.key, normal: $0.value.normal, zero: $0.value.zero)
        }, multifd: multifd)
    ]
    return inspection
  }
}

extension MultifdHeader {
  /// Bytes that follow it.
  fileprivate var payload: Int {
    switch self {
    case .hello: 0
    case .pages(let packet): packet.payload
    case .deviceState(_, _, let payload): payload
    }
  }
}
