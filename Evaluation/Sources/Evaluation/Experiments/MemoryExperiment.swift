import EvaluationReport
import Lab

/// What a guest's memory is made of, against the size of its database: the first measurement of the
/// thesis behind this project.
struct MemoryExperiment {
  let bench: Bench
  /// In per cent of the guest's memory, so much of the database would be in a cache that is large enough.
  let databaseShares: [Int]
  /// Of the guest's memory, in per cent, the same in all of them.
  let cacheShare: Int
  let repetitions: Int

  func execute(_ collector: Collector) throws(LabError) {
    for repetition in collector.repetitions(repetitions, of: .memory) {
      for share in databaseShares {
        let contents = bench.contents(filling: share)
        var run = Run(
          .memory, nil,
          .init(
            memory: bench.memory, processors: bench.processors, cacheShare: cacheShare,
            documents: contents.documents),
          repetition: repetition)
        try collector.carryOut(&run) { run throws(LabError) in try measure(contents, &run) }
      }
    }
  }

  private func measure(_ contents: GuestImage.Contents, _ run: inout Run) throws(LabError) {
    let disk = try bench.image(contents).copy(
      to: "\(bench.files.scratch)/run.img", files: bench.files)
    defer { disk.remove() }
    let options = bench.machine(disk, cache: bench.memory * cacheShare / 100, balloon: .plain)
    let machine = try VirtualMachine("memory", options, host: nil, files: bench.files)
    defer { machine.kill() }
    do throws(LabError) {
      let store = try StoreConsole(machine)
      _ = try store.waitForBeat(timeout: 120)
      let warmed = try store.ask("warm", timeout: 600)
      let usage = try store.ask("usage")
      func bytes(_ name: String) throws(LabError) -> Double {
        guard let value = usage[name].flatMap({ Double($0) }) else {
          throw LabError("the guest does not say its \(name)")
        }
        return value
      }
      // Files in memory, which /proc/meminfo counts as cached, are no page cache of the database's: the
      // initramfs with the programs is one.
      let pageCache = try bytes("cached") - bytes("shmem") + bytes("buffers")
      let cache = try bytes("cache_used")
      let free = try bytes("free")
      run[.database] = warmed["file_bytes"].flatMap { Double($0) }
      run[.cacheUsed] = cache
      run[.pageCache] = pageCache
      run[.free] = free
      run[.rest] = Double(bench.memory << 20) - cache - pageCache - free
    } catch {
      throw error.adding(machine.logs)
    }
  }
}
