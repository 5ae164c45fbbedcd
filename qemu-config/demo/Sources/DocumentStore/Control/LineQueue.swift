/// Lines that wait to be written, limited in bytes: where it is full the oldest are dropped.
struct LineQueue {
  private var lines: [[UInt8]] = []
  private var first = 0
  private var byteCount = 0
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  var isEmpty: Bool { first == lines.count }

  mutating func append(_ line: [UInt8]) {
    lines.append(line)
    byteCount += line.count
    while byteCount > limit, popFirst() != nil {}
  }

  mutating func popFirst() -> [UInt8]? {
    guard first < lines.count else { return nil }
    let line = lines[first]
    lines[first] = []
    first += 1
    byteCount -= line.count
    // Moved together now and then, so that taking out one costs the same however many there are.
    if first == lines.count {
      lines.removeAll(keepingCapacity: true)
      first = 0
    } else if first >= 1024 {
      lines.removeFirst(first)
      first = 0
    }
    return line
  }
}
