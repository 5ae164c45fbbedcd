import FoundationEssentials
import HookLink
import Lab
import StreamProxy
import Testing

extension RealMigrations {
  /// A kernel that kexec would start writes over any memory, held frames too, and nobody is told.
  @Suite struct LoadedKernels {
    private static let options = ["leafcutter.torture=on"]

    @Test func whereOneIsLoadedNothingIsHeldAndTheGuestArrivesAllTheSame() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let here = try bench.restoreServing("loaded0", options: LoadedKernels.options)
      try order("load-kernel", here)
      let (there, summary) = try arrive(from: here, "loaded1", on: bench) { _ in true }
      #expect(summary.pagesDropped == 0)
      #expect(summary.uneditedReason?.contains("another kernel is loaded") == true)
      // Unloaded, it is a guest like any other.
      try order("unload-kernel", there)
      let (last, second) = try arrive(from: there, "loaded2", on: bench) { _ in true }
      #expect(second.pagesDropped > 5000, "\(second.uneditedReason ?? "")")
      let content = try last.verifyEverything()
      #expect(content.documents == bench.documents && content.bad == 0)
      last.machine.kill()
    }

    @Test func whereOneIsLoadedDuringTheHoldAllOfItIsTakenBack() throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      let here = try bench.restoreServing("during0", options: LoadedKernels.options)
      let (there, summary) = try arrive(
        from: here, "during1", bandwidth: 50_000_000, on: bench
      ) { proxy in
        guard proxy.hasReport else { return false }
        return (try? order("load-kernel", here)) != nil
      }
      // What was dropped before belongs to nobody, and what was taken back has crossed.
      #expect(summary.result == "completed", "\(summary.reason ?? "")")
      let said = here.machine.logs.joined()
      #expect(said.contains("revoking every held frame: another kernel is loaded"))
      let content = try there.verifyEverything()
      #expect(content.documents == bench.documents && content.bad == 0)
      #expect(content.tablesFailed == 0)
      there.machine.kill()
    }

    /// Nobody ends first: the new kernel's memory is what it is to be at the destination, or the guest is not
    /// there.
    ///
    /// - Parameter secondsBefore: the stop, which comes while the mark page's time still passes for recent.
    @Test(arguments: [0, 3])
    func whereOneIsStartedDuringTheHoldTheGuestArrivesWithItOrNotAtAll(secondsBefore: Double) throws
    {
      let bench = try Workbench()
      defer { bench.tidy() }
      let here = try bench.restoreServing("started0", options: LoadedKernels.options)
      let there = try bench.boot("started1", waits: true, options: LoadedKernels.options)
      let address = bench.address(of: "started1")
      try Migration.listen(there.machine, at: address)
      let proxy = try bench.proxy(from: here, to: address)
      var startedAt: UInt64?
      let completed: Bool
      do {
        _ = try Migration.run(
          from: here.machine, to: there.machine, uri: proxy.address, timeout: 120,
          maximumBandwidth: Workbench.slowly
        ) { status in
          let isLate = status.ram.map { $0.remaining > 0 && $0.remaining < 120 << 20 } ?? false
          if let startedAt {
            let seconds = HostClock.seconds(from: startedAt, to: HostClock.now)
            guard seconds >= secondsBefore else { return }
            try? here.machine.qmp.setMigrateParameters(MigrationParameters(maxBandwidth: 10 << 30))
          } else if proxy.hasReport, isLate,
            (try? here.store.tell("fault start-kernel")) != nil
          {
            startedAt = HostClock.now
          }
        }
        completed = true
      } catch {
        completed = false
      }
      let summary = try proxy.finish()
      let code: Int32 = completed ? ExitStatus.completed : ExitStatus.failed
      #expect(startedAt != nil && summary.exitCode == code, "\(summary.reason ?? "")")
      let machine = completed ? there.machine : here.machine
      // A guest that left before it came to the fault goes on with it where it is.
      var wrong = try NewKernel.wrongWords(of: machine, files: bench.files)
      for _ in 0..<10 where wrong > 0 {
        HostClock.sleep(1)
        wrong = try NewKernel.wrongWords(of: machine, files: bench.files)
      }
      #expect(wrong == 0, "\(wrong) words, \(summary.result): \(summary.reason ?? "")")
      // The kernel tells of it, so no look that comes too late was needed.
      let said = here.console
      #expect(said.contains("guardian ready") && !said.contains("looked for every 20 ms"))
      here.machine.kill()
      there.machine.kill()
    }

    private func order(_ fault: String, _ guest: Guest) throws {
      try guest.store.ask("fault \(fault)", timeout: 20)
      HostClock.sleep(1)
    }

    /// - Parameter disturb: called twice a second until it says that it has been done.
    private func arrive(
      from here: Guest, _ name: String, bandwidth: UInt64 = Migration.unlimited,
      on bench: Workbench, disturb: (ProxyProcess) -> Bool
    ) throws -> (Guest, ProxyProcess.Summary) {
      let there = try bench.boot(name, waits: true, options: LoadedKernels.options)
      let address = bench.address(of: name)
      try Migration.listen(there.machine, at: address)
      let proxy = try bench.proxy(from: here, to: address)
      var isDisturbed = false
      _ = try Migration.run(
        from: here.machine, to: there.machine, uri: proxy.address, timeout: 120,
        maximumBandwidth: bandwidth
      ) { _ in
        if !isDisturbed { isDisturbed = disturb(proxy) }
      }
      let summary = try proxy.finish()
      #expect(summary.exitCode == 0, "\(summary.reason ?? "")")
      here.machine.kill()
      _ = try there.store.waitForBeat(timeout: 60)
      return (there, summary)
    }
  }
}

/// What `leafcutter-store load-kernel` loads (qemu-config/demo/Sources/CStoreSystem): every word of its segments
/// is the word's own address, but for the first.
private enum NewKernel {
  private static let segments = (0..<16 as Range<UInt64>).map { 0x400_0000 + $0 * (32 << 20) }
  private static let segmentSize: UInt64 = 2 << 20

  private struct Piece: Encodable {
    var val: UInt64
    var size: UInt64
    var filename: String
  }

  /// Words that a machine's memory does not hold as the kernel has been put there.
  static func wrongWords(of machine: VirtualMachine, files: LabFiles) throws -> Int {
    let path = "\(files.scratch)/memory"
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try segments.reduce(0) { sum, start in
      try machine.qmp.execute(
        "pmemsave", arguments: Piece(val: start, size: segmentSize, filename: path))
      let bytes = [UInt8](FileManager.default.contents(atPath: path) ?? Data())
      guard bytes.count == segmentSize else { return sum + Int(segmentSize / 8) }
      return sum
        + stride(from: start == segments[0] ? 8 : 0, to: bytes.count, by: 8).count { offset in
          let word = (0..<8).reduce(0 as UInt64) {
            $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8)
          }
          return word != start + UInt64(offset)
        }
    }
  }
}
