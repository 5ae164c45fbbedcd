import Lab
import StreamProxy

/// The operator's way to make a guest small before it is migrated.
enum BalloonDevice {
  /// Memory that the guest keeps to work with, in bytes: as much as Leafcutter's guardian leaves free.
  private static let headroom = 128 << 20

  /// Has the guest drop its page cache, and inflates the balloon until nothing but the headroom is free.
  ///
  /// - Parameter memory: of the guest, bytes.
  static func inflate(
    _ machine: VirtualMachine, _ store: StoreConsole, memory: Int
  ) throws(LabError) {
    try store.ask("drop-caches", timeout: 120)
    let usage = try store.ask("usage")
    guard let available = usage["available"].flatMap({ Int($0) }) else {
      throw LabError("the guest does not say how much memory is available")
    }
    let target = memory - max(0, available - headroom)
    try set(machine, to: target)
    // It is there when the guest has given up as much as it can: the figure stands still.
    var last = memory
    var unchanged = 0
    let deadline = HostClock.now + 60_000_000_000
    while last > target, unchanged < 10 {
      guard HostClock.now < deadline else {
        throw machine.error("the balloon has not come to rest within 60 s")
      }
      HostClock.sleep(0.05)
      let now = try actual(machine)
      unchanged = now == last && now < memory ? unchanged + 1 : 0
      last = now
    }
  }

  static func deflate(_ machine: VirtualMachine, memory: Int) throws(LabError) {
    try set(machine, to: memory)
  }

  private static func set(_ machine: VirtualMachine, to bytes: Int) throws(LabError) {
    try machine.onQMP { try $0.execute("balloon", arguments: ["value": bytes]) }
  }

  private static func actual(_ machine: VirtualMachine) throws(LabError) -> Int {
    struct Answer: Decodable { var actual: Int }
    do {
      return try machine.qmp.execute("query-balloon", returning: Answer.self).actual
    } catch {
      throw machine.error("\(error)")
    }
  }
}
