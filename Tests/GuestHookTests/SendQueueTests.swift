import Testing

@testable import Guardian

/// What waits for a port that takes little at a time.
struct SendQueueTests {
  @Test func bytesLeaveInTheirOrderWhereverTheyAreCut() {
    let all = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    for step in [1, 7, 100, 4096, 10_000] {
      var queue = SendQueue()
      var appended = 0
      var sent: [UInt8] = []
      while sent.count < all.count {
        let end = min(appended + 3 * step / 2 + 1, all.count)
        queue.append(Array(all[appended..<end]))
        appended = end
        #expect(queue.count == appended - sent.count)
        let some = unsafe queue.withFirst(step) { unsafe Array($0) }
        #expect(some.count == min(step, appended - sent.count))
        sent += some
        queue.removeFirst(some.count)
      }
      #expect(queue.isEmpty && sent == all, "in steps of \(step)")
    }
  }

  /// A report of 64 MiB over a port that takes 32 KiB: each byte is moved once or twice, not a thousand times.
  @Test func whatHasGoneIsMovedAwayForManySendsAtOnce() {
    var queue = SendQueue()
    let (size, step) = (1 << 20, 512)
    queue.append([UInt8](repeating: 7, count: size))
    var (moved, stored) = (0, queue.stored)
    while !queue.isEmpty {
      queue.removeFirst(step)
      if queue.stored != stored { moved += queue.stored }
      stored = queue.stored
      #expect(stored <= 2 * queue.count + step)
    }
    #expect(moved < 2 * size && stored == 0)
  }
}
