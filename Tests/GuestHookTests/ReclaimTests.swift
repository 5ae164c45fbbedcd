import CGuestSystem
import Glibc
import HookLink
import Logging
import Testing

@testable import Guardian

/// What goes on after the report.
@Suite(.serialized)
struct ReclaimTests {
  @Test("the page cache of the database's files is dropped, dirty pages too, and the data stays")
  func pageCache() throws {
    let fixture = try GuardianFixture()
    let path = fixture.directory + "/home/leaves.wt"
    let bytes = [UInt8](repeating: 42, count: 8 << 20)
    // The path and the array are alive during the calls.
    let file = Descriptor(owning: unsafe open(path, O_RDWR | O_CREAT, 0o600))
    #expect(unsafe write(file.number, bytes, bytes.count) == bytes.count)
    #expect(residentPages(of: file, bytes.count) == 2048)
    var cache = PageCache()
    cache.drop(below: fixture.directory) { false }
    #expect(cache.files == 1)
    #expect(residentPages(of: file, bytes.count) == 0)
    var last: UInt8 = 0
    // One byte.
    #expect(unsafe pread(file.number, &last, 1, off_t(bytes.count - 1)) == 1)
    #expect(last == 42)
  }

  @Test("ballast takes what was freed, leaves the headroom, and is given back at once")
  func ballast() throws {
    let before = try #require(MemoryInfo.now())
    let made = Reclaimer(
      Reclaimer.Plan(
        homes: [], freeAtPrepare: before.free - min(before.free, 256 << 20), headroom: 64 << 20,
        executable: GuardianFixture.executable), logger: .init(label: "test"))
    let reclaimer = try #require(made)
    #expect(reclaimer.start())
    var news: [Reclaimer.News] = []
    for _ in 0..<500 where news.isEmpty {
      usleep(10_000)
      news = reclaimer.takeNews()
    }
    #expect(try #require(news.first).done > 0)
    #expect(!reclaimer.hasGivenBack)
    reclaimer.stop()
    for _ in 0..<500 where !reclaimer.hasGivenBack { usleep(10_000) }
    #expect(reclaimer.hasGivenBack)
  }

  @Test("where more than the headroom is not available, nothing is taken")
  func headroom() throws {
    let before = try #require(MemoryInfo.now())
    let made = Reclaimer(
      Reclaimer.Plan(
        homes: [], freeAtPrepare: before.free - (256 << 20), headroom: before.available * 2,
        executable: GuardianFixture.executable), logger: .init(label: "test"))
    let reclaimer = try #require(made)
    #expect(reclaimer.start())
    var news: [Reclaimer.News] = []
    for _ in 0..<500 where news.isEmpty {
      usleep(10_000)
      news = reclaimer.takeNews()
    }
    #expect(news.first?.done == 0)
    reclaimer.stop()
  }

  @Test("meminfo is read by its names")
  func memoryInfo() {
    let text = "MemTotal: 100 kB\nMemFree:  10 kB\nMemAvailable: 20 kB\nCached: 3 kB\n"
    let info = MemoryInfo(parsing: text)
    #expect(info?.free == 10 << 10)
    #expect(info?.available == 20 << 10)
    #expect(info?.cached == 3 << 10)
    #expect(MemoryInfo(parsing: "MemFree: 1 kB\n") == nil)
  }

  private func residentPages(of file: Descriptor, _ length: Int) -> Int {
    var pages = [UInt8](repeating: 0, count: length / 4096)
    // A new mapping, gone before the return; mincore(2) writes one byte for each page.
    let mapping = unsafe mmap(nil, length, PROT_READ, MAP_SHARED, file.number, 0)
    unsafe mincore(mapping!, length, &pages)
    unsafe munmap(mapping!, length)
    return pages.count { $0 & 1 != 0 }
  }
}
