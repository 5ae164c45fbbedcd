import Testing

@testable import RelayBench

@Suite struct RelayMemoryTests {
  private let mappings = """
    55d0a6000000-7ffd5f5fe000 ---p 00000000 00:00 0                          [rollup]
    Rss:                4096 kB
    Pss:                1500 kB
    Pss_Dirty:           200 kB

    """

  @Test func processesThatShareAreToldApartFromOneProcess() {
    var memory = RelayMemory()
    for _ in 0..<3 {
      memory.add(
        status: "Name:\tnginx\nVmHWM:\t    4096 kB\nVmRSS:\t 4000 kB\n", mappings: mappings)
    }
    #expect(memory.processes == 3)
    #expect(memory.peakResident == 3 * 4096 * 1024)
    #expect(memory.proportional == 3 * 1500 * 1024)
  }

  @Test func aProcessThatHasEndedHasNoMemory() {
    var memory = RelayMemory()
    memory.add(status: "", mappings: "")
    memory.add(status: "Name:\tsocat\nState:\tZ (zombie)\n", mappings: "")
    #expect(memory.processes == 0 && memory.peakResident == 0)
  }

  @Test func aLivingProcessHasSome() {
    let memory = RelayMemory(of: ["self"])
    #expect(memory.processes == 1 && memory.proportional > 0)
    #expect(memory.peakResident > 0)
  }
}
