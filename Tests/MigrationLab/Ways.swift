// The ways that are tried.

extension Way {
  private static func multifd(
    _ channels: Int, compressed method: String? = nil, zeroPages: String? = nil
  ) -> Way {
    Way("multifd \(channels)").with {
      $0.capabilities = ["multifd"]
      $0.parameters = ["multifd-channels": .number(channels)]
      if let method {
        $0.name = "multifd \(method)"
        $0.parameters["multifd-compression"] = .text(method)
        $0.stopped = true
        $0.asksForZeroes("multifd is on with \(method): pages travel compressed")
      }
      if let zeroPages {
        $0.name += ", zero pages \(zeroPages)"
        $0.parameters["zero-page-detection"] = .text(zeroPages)
      }
    }
  }

  /// Pages wait until the guest has filled what it holds.
  private mutating func asksForZeroes(_ reason: String) {
    expectation = .zeroes(reason)
    preparation = 500
  }

  private static func capability(_ name: String) -> Way {
    Way(name).with { $0.capabilities = [name] }
  }

  public static let plain = Way("plain").with { $0.sourceCapabilities = ["return-path", "events"] }
  /// QEMU's defaults; the proxy turns both on.
  public static let withoutReturnPath = Way("return-path off, events off")
  public static let manyRounds = Way("many rounds").with { $0.convergesAfter = 1200 }
  public static let pausing = capability("pause-before-switchover")
  /// Every section is synchronised, device states are other ones.
  public static let plainOldMachine = plain.with {
    $0.name = "plain, machine 7.2"
    $0.machineVersion = "7.2"
  }
  public static let xbzrle = capability("xbzrle").with {
    $0.convergesAfter = 800
    $0.asksForZeroes("capability xbzrle is on")
  }

  public static let multifd1 = multifd(1)
  public static let multifd2 = multifd(2)
  public static let multifd4 = multifd(4).with { $0.overTCP = true }
  public static let multifd16 = multifd(16)
  public static let multifdOldMachine = multifd2.with {
    $0.name = "multifd 2, machine 7.2"
    $0.machineVersion = "7.2"
  }
  /// Until QEMU 10.1, but for 7.2.
  public static let multifdPostcopyRefused = multifd2.with {
    $0.name = "multifd 2, postcopy-ram, refused"
    $0.capabilities += ["postcopy-ram"]
    $0.expectation = .fails("ostcopy is not yet compatible with multifd")
  }
  /// Since QEMU 10.1.
  public static let multifdPostcopy = multifd2.with {
    $0.name = "multifd 2, postcopy-ram"
    $0.capabilities += ["postcopy-ram"]
    $0.postcopy = .whenRemaining(mostHasPassed)
  }
  public static let zlib = multifd(2, compressed: "zlib")
  public static let zstd = multifd(2, compressed: "zstd")
  /// Since QEMU 9.0.
  public static let legacyZeroPages = multifd(4, zeroPages: "legacy")
  public static let noZeroPages = multifd(2, zeroPages: "none")
  public static let plainLegacyZeroPages = Way("plain, zero pages legacy").with {
    $0.parameters = ["zero-page-detection": .text("legacy")]
  }

  /// Every segment's probe pages have passed by then, and held pages are left to be dropped later.
  private static let mostHasPassed: UInt64 = 36 << 20

  public static let postcopyUnused = capability("postcopy-ram").with {
    $0.name = "postcopy-ram, unused"
  }
  public static let postcopy = capability("postcopy-ram").with {
    $0.postcopy = .whenRemaining(mostHasPassed)
  }
  /// QEMU 7.2 lets one have both. Switched to, one of the two QEMUs mostly ends, so that there is no row for it.
  public static let multifdPostcopyUnused = multifd2.with {
    $0.name = "multifd 2, postcopy-ram, unused"
    $0.capabilities += ["postcopy-ram"]
    $0.asksForZeroes("capabilities multifd and postcopy-ram are both on")
  }
  public static let postcopyAfterRounds = capability("postcopy-ram").with {
    $0.name = "postcopy-ram, after rounds"
    $0.postcopy = .afterRounds(4)
    $0.bandwidth = 300 << 20
    $0.runs = true
  }
  /// What is in the way of a guest that is stopped before it could say anything.
  private static let tooEarly = [
    "not proven before post-copy", "the guest has been stopped already",
    "post-copy began before the guest had reported", "no probe page of the guest has passed",
  ]
  /// Before the mark page has passed nothing can be proven.
  public static let postcopyAtOnce = capability("postcopy-ram").with {
    $0.name = "postcopy-ram, at once"
    $0.postcopy = .after(0)
    $0.expectation = .passes(Way.tooEarly)
  }
  public static let preempt = Way("postcopy-preempt").with {
    $0.capabilities = ["postcopy-ram", "postcopy-preempt"]
    $0.postcopy = .whenRemaining(mostHasPassed)
  }
  public static let preemptAfterRounds = preempt.with {
    $0.name = "postcopy-preempt, after rounds"
    $0.postcopy = .afterRounds(4)
    $0.bandwidth = 300 << 20
    $0.overTCP = true
    $0.runs = true
  }
  public static let preemptOldMachine = preempt.with {
    $0.name = "postcopy-preempt, machine 7.2"
    $0.machineVersion = "7.2"
  }
  /// The guest's processors hardly run, and the lease is on its clock.
  public static let postcopyThrottled = postcopyAfterRounds.with {
    $0.name = "postcopy-ram, auto-converge"
    $0.capabilities += ["auto-converge"]
    $0.parameters = ["cpu-throttle-initial": .number(99), "max-cpu-throttle": .number(99)]
  }
  public static let preemptAtOnce = preempt.with {
    $0.name = "postcopy-preempt, at once"
    $0.postcopy = .after(0)
    $0.expectation = .passes(Way.tooEarly)
  }

  public static let tls = Way("TLS").with {
    $0.encrypted = true
    $0.overTCP = true
    $0.asksForZeroes("encrypted (TLS)")
  }
  public static let tlsMultifd = multifd2.with {
    $0.name = "TLS, multifd 2"
    $0.encrypted = true
    $0.overTCP = true
    $0.asksForZeroes("encrypted (TLS)")
  }
  public static let tlsPreempt = preempt.with {
    $0.name = "TLS, postcopy-preempt"
    $0.encrypted = true
    $0.overTCP = true
    $0.asksForZeroes("encrypted (TLS)")
  }

  public static let autoConverge = capability("auto-converge").with {
    $0.parameters = ["cpu-throttle-initial": .number(80), "cpu-throttle-increment": .number(19)]
    $0.convergesAfter = 3500
  }
  /// QEMU 11.1 does not have it any more.
  public static let zeroBlocks = capability("zero-blocks")
  public static let lateBlockActivate = capability("late-block-activate")
  /// Gives away only what post-copy has sent.
  public static let releaseRAM = postcopy.with {
    $0.name = "release-ram"
    $0.capabilities += ["release-ram"]
    $0.emptiesSource = true
  }
  public static let validateUUID = capability("validate-uuid").with {
    $0.arguments = ["-uuid", "1f0ad3c8-7d1b-4c1e-9a5e-0c6e5f3b2a10"]
  }
  public static let ignoreShared = capability("x-ignore-shared").with {
    $0.sharesMemory = true
    $0.expectation = .passes(["capability x-ignore-shared is on"])
  }
  public static let dirtyBitmaps = capability("dirty-bitmaps").with {
    $0.arguments = ["-blockdev", "driver=null-co,node-name=disk0,size=67108864"]
    $0.dirtyBitmaps = [DirtyBitmap(node: "disk0", name: "changed")]
  }
  /// Since QEMU 8.1.
  public static let switchoverAck = capability("switchover-ack").with {
    $0.capabilities = ["return-path", "switchover-ack"]
  }
  public static let zeroCopySend = multifd(2).with {
    $0.name = "zero-copy-send"
    $0.sourceCapabilities = ["zero-copy-send"]
    $0.overTCP = true
  }

  /// Until QEMU 9.0.
  public static let compress = capability("compress").with {
    $0.asksForZeroes("capability compress is on")
  }
  /// Until QEMU 9.0; copies disks, too.
  public static let legacyBlock = capability("block").with {
    $0.arguments = [
      "-drive", "if=none,id=disk0,driver=null-co,size=16M", "-device", "virtio-blk-pci,drive=disk0",
    ]
  }

  public static let backgroundSnapshot = Way("background-snapshot").with {
    $0.sourceCapabilities = ["background-snapshot"]
    $0.expectation = .passes(["background-snapshot"])
    $0.sourceGoesOn = true
  }
  /// Sends one checkpoint after the other until somebody fails over.
  public static let colo = capability("x-colo").with {
    // QEMU 11.1 asks for the return path first.
    $0.capabilities = ["return-path", "x-colo"]
    $0.expectation = .fails("COLO")
  }
  /// Needs a file that can be sought in.
  public static let mappedRAM = capability("mapped-ram").with {
    $0.expectation = .fails("seekable")
  }
}
