extension StreamInspector {
  /// QEMU synchronises all multifd channels together (`multifd.c:multifd_send_sync_main`), so one that has
  /// fewer synchronisations than another was cut, though it ends between two packets.
  ///
  /// The main channel's markers are no measure: which records are such depends on QEMU's release.
  static func compareSynchronisations(_ found: inout [StreamInspection]) {
    let most = found.compactMap { $0.channels[0].multifd?.syncPackets }.max() ?? 0
    for index in found.indices where found[index].problem == nil {
      let count = found[index].channels[0].multifd?.syncPackets ?? most
      guard count < most else { continue }
      let problem = StreamInspection.Problem(
        offset: found[index].bytes,
        sentence: """
          the channel ends too early: it has \(count) of the \(most) synchronisations that another multifd \
          channel has
          """)
      found[index].problem = problem
      found[index].channels[0].problem = problem
    }
  }
}
