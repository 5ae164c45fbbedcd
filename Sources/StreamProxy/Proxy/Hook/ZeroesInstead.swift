/// Where a stream cannot be edited, the guest can still fill the frames that it holds with zeroes, and
/// QEMU sends them as zero pages by itself.
extension MigrationCapabilities {
  /// Whether zeroes travel cheaply in a stream that cannot be edited: those of capabilities and
  /// parameters that only hide pages or make them small, and not those that want the memory as it is.
  var zeroesHelp: Bool {
    let others = ["x-colo", "x-ignore-shared", "background-snapshot", "mapped-ram"]
    return enabled.isDisjoint(with: others) && parameters.mode ?? "normal" == "normal"
  }
}
