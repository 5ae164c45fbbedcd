/// What ``StreamEditor/process(_:into:)`` decided about one input: ranges of it to forward and bytes
/// to put in between, in order. It is reused from call to call and allocates once.
@safe
public struct EditList: ~Copyable {
  public enum Segment: Equatable, Sendable {
    /// These bytes of the input.
    case forward(Range<Int>)
    /// These bytes of ``insertedBytes``.
    case insert(Range<Int>)
  }

  static let segmentCapacity = 1024
  static let insertedCapacity = 32 * 1024
  /// The most that one record can need: a forward, an insert and a forward; a header with its name.
  static let segmentsPerRecord = 4
  static let insertedPerRecord = 8 + 256 + 1

  private let segments: UnsafeMutableBufferPointer<Segment>
  private let inserted: UnsafeMutableRawBufferPointer
  public private(set) var segmentCount = 0
  private var insertedCount = 0
  /// Bytes that the segments stand for.
  public private(set) var byteCount = 0

  public init() {
    // Owned by this value, freed in deinit.
    unsafe segments = .allocate(capacity: EditList.segmentCapacity)
    unsafe segments.initialize(repeating: .forward(0..<0))
    unsafe inserted = .allocate(byteCount: EditList.insertedCapacity, alignment: 16)
  }

  deinit {
    unsafe segments.deallocate()
    unsafe inserted.deallocate()
  }

  public subscript(segment index: Int) -> Segment {
    precondition(index < segmentCount)
    // Below segmentCount, which is at most the capacity.
    return unsafe segments[index]
  }

  /// The bytes that `.insert` segments speak of. Valid until the next change of the list.
  public var insertedBytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(rebasing: inserted[..<insertedCount])
  }

  public mutating func reset() {
    segmentCount = 0
    insertedCount = 0
    byteCount = 0
  }

  /// Whether one more record surely fits.
  @inline(__always)
  var hasRoom: Bool {
    segmentCount + EditList.segmentsPerRecord <= EditList.segmentCapacity
      && insertedCount + EditList.insertedPerRecord <= EditList.insertedCapacity
  }

  @inline(__always)
  mutating func forward(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    byteCount += range.count
    // The last segment exists where segmentCount > 0.
    if segmentCount > 0, case .forward(let last) = unsafe segments[segmentCount - 1],
      last.upperBound == range.lowerBound
    {
      unsafe segments[segmentCount - 1] = .forward(last.lowerBound..<range.upperBound)
    } else {
      append(.forward(range))
    }
  }

  /// Inserts a ZERO record that continues the block: the record's first word and the fill byte.
  @inline(__always)
  mutating func insertZeroRecord(_ word: UInt64) {
    extendInserted(by: 9)
    // extendInserted has checked that nine bytes fit in front of insertedCount.
    unsafe inserted.storeBytes(
      of: word.bigEndian, toByteOffset: insertedCount - 9, as: UInt64.self)
    unsafe inserted[insertedCount - 1] = 0
  }

  mutating func insert(_ bytes: some Collection<UInt8>) {
    extendInserted(by: bytes.count)
    for (index, byte) in bytes.enumerated() {
      // As above.
      unsafe inserted[insertedCount - bytes.count + index] = byte
    }
  }

  /// Makes room for `count` bytes in the last `.insert` segment, or in a new one.
  @inline(__always)
  private mutating func extendInserted(by count: Int) {
    precondition(insertedCount + count <= EditList.insertedCapacity)
    let end = insertedCount + count
    byteCount += count
    // As in forward(_:).
    if segmentCount > 0, case .insert(let last) = unsafe segments[segmentCount - 1] {
      unsafe segments[segmentCount - 1] = .insert(last.lowerBound..<end)
    } else {
      append(.insert(insertedCount..<end))
    }
    insertedCount = end
  }

  private mutating func append(_ segment: Segment) {
    precondition(segmentCount < EditList.segmentCapacity)
    // Checked just above.
    unsafe segments[segmentCount] = segment
    segmentCount += 1
  }
}
