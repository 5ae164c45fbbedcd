import Testing

@testable import StreamProxy

/// Guests that sleep (S3) when QEMU stops them: it says so itself, in the order of ``MigrationWitness``.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SleepingGuestTests {
  @Test(
    "A sleeping guest's migration completes, in the order of QEMU 7.2 and of 9.0 and later",
    arguments: [["SUSPEND", "STOP", "WAKEUP"], ["SUSPEND", "STOP"]])
  func completes(events: [String]) async throws {
    var script = SourceScript()
    script.stopsGuest = false
    script.between = { scene, _, _ in for event in events { scene.qmp.raise(event) } }
    let (summary, result, received) = try await Scene().play(script)
    #expect(summary.exitCode == 0 && received == result.edited())
  }

  @Test("Sleep is no stop: whoever wakes the guest would have it run")
  func sleepIsNoStop() async throws {
    var script = SourceScript()
    script.stopsGuest = false
    script.between = { scene, _, _ in scene.qmp.raise("SUSPEND") }
    let scene = try Scene(set: { $0.stopTimeout = .milliseconds(300) })
    let (summary, _, _) = try await scene.play(script)
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(summary.reason?.contains("QMP reported no STOP of the guest") == true)
  }

  @Test("A reset while the guest sleeps is one")
  func resetWhileAsleep() async throws {
    var script = SourceScript()
    script.between = { scene, _, _ in
      scene.qmp.raise("SUSPEND")
      scene.qmp.raise("RESET", data: #"{"guest":false}"#)
    }
    let (summary, _, _) = try await Scene().play(script)
    #expect(summary.exitCode == ExitStatus.failed)
    #expect(summary.reason?.contains("the guest was reset") == true)
  }
}
