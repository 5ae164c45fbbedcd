import Lab

/// Where the guest is when a migration is over, by what both QEMUs say.
enum Whereabouts: Equatable {
  case source
  case destination
  /// The destination was killed when the guest was there already.
  case killed

  /// Waits until the guest is at one end and not at the other.
  static func find(
    source: Guest, destination: Guest, plan: RoundPlan
  ) throws(Incident) -> Whereabouts {
    var last = (source: "?", destination: "?")
    let deadline = HostClock.now + UInt64(Bench.patience * 1e9)
    while HostClock.now < deadline {
      let here = status(of: source)
      let there = status(of: destination)
      last = (here.text, there.text)
      if here.runs, there.runs {
        // QEMU answers one after the other: what was true a moment ago may be over.
        HostClock.sleep(0.5)
        if status(of: source).runs, status(of: destination).runs {
          throw .guestLost("it runs at the source and at the destination")
        }
        continue
      }
      if there.runs, !here.runs { return .destination }
      if here.runs, isOver(source) { return .source }
      // Where the destination died with the guest in it, the source has let go of it.
      if plan.fault == .killDestination, there.text == "gone", here.text == "postmigrate" {
        return .killed
      }
      if here.text == "gone", there.text == "gone" { break }
      HostClock.sleep(0.05)
    }
    let sentence = "the source is \(last.source), the destination \(last.destination)"
    throw last.source == "gone" ? .guestLost(sentence) : .hang(sentence)
  }

  private static func status(of guest: Guest) -> (runs: Bool, text: String) {
    guard guest.machine.ending == nil else { return (false, "gone") }
    guard let status = try? guest.machine.qmp.queryStatus() else { return (false, "silent") }
    return (status.running, status.status)
  }

  private static func isOver(_ source: Guest) -> Bool {
    (try? source.machine.qmp.queryMigrate())?.isOver ?? false
  }
}
