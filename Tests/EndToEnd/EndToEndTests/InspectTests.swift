import FoundationEssentials
import Lab
import StreamProxy
import Testing

extension RealMigrations {
  /// `leafcutter inspect` against QEMU's own account of the same migration.
  @Suite struct Inspect {
    @Test func countsOfAStreamFromQEMU10EqualItsOwn() throws {
      try expectEqualCounts(qemu: "qemu-system-x86_64", machine: "pc-q35-10.0", name: "ten")
    }

    @Test func countsOfAStreamFromDebian12sOwnQEMUEqualItsOwn() throws {
      let old = "\(Workbench.state)/qemu-bookworm/usr"
      let files = ["share/qemu", "share/seabios", "lib/ipxe/qemu"]
      try expectEqualCounts(
        qemu: "\(old)/bin/qemu-system-x86_64", options: files.flatMap { ["-L", "\(old)/\($0)"] },
        machine: "pc-q35-7.2", name: "seven", mayHang: true)
    }

    /// - Parameter mayHang: A running guest of 7.2 is damaged by its own QEMU; what it holds when it hangs is as
    ///   good to be counted.
    private func expectEqualCounts(
      qemu: String, options: [String] = [], machine: String, name: String, mayHang: Bool = false
    ) throws {
      let bench = try Workbench()
      defer { bench.tidy() }
      var configuration = bench.machine(options: ["leafcutter.guardian=off"])
      configuration.qemu = qemu
      configuration.qemuOptions = options
      configuration.machine = machine
      configuration.memory = 384
      configuration.kernelOptions = ["leafcutter.cache=32", "leafcutter.guardian=off"]
      let guest = try VirtualMachine(name, configuration, host: nil, files: bench.files)
      if mayHang {
        _ = try? StoreConsole(guest).waitForBeat(timeout: 30)
      } else {
        _ = try StoreConsole(guest).waitForBeat(timeout: 120)
      }
      // A stopped one is sent in one round.
      try guest.qmp.execute("stop")
      let file = "\(bench.files.scratch)/\(name).stream"
      let migration = try Migration.run(
        from: guest, to: guest, uri: "exec:cat>\(file)", timeout: 120, returnPath: false)
      let ram = try #require(migration.status.ram)
      guest.kill()

      let output = "\(bench.files.logs)/\(name)-inspect.json"
      try ChildProcess.run(
        "leafcutter inspect", [Workbench.leafcutter, "inspect", file, "--json"], log: output)
      let data = try #require(FileManager.default.contents(atPath: output))
      let pages = try JSONDecoder().decode(Inspected.self, from: data).pages
      #expect(pages.normal == ram.normal)
      #expect(pages.zero == ram.duplicate)
    }
  }
}

/// The part of `leafcutter inspect --json` that QEMU counts too.
private struct Inspected: Decodable {
  struct Pages: Decodable {
    var normal: UInt64
    var zero: UInt64
  }
  var pages: Pages
}
