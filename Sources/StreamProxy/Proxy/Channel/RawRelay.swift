/// Passes a channel on as it is, source to destination.
struct RawRelay: Sendable {
  let channel: Channel
  let downtimeLimit: DowntimeLimit
  /// So many bytes pass before ``relayUntilEnd(pause:published:)`` pauses.
  var pausesAfter = Int.max

  /// Relays until the source ends it; `published` is told where it is.
  func relayUntilEnd(
    pause: () -> Void = {}, published: (ChannelSnapshot) -> Void
  ) throws(ChannelFailure) {
    let pipe = try KernelPipe(of: channel)
    var rate = WireRate(now: .now)
    var inFlight = BytesInFlight(channel.source, channel.destination, within: downtimeLimit)
    var total = 0
    while true {
      let isFree = total >= pausesAfter
      let moved = try pipe.forward(
        atMost: isFree ? KernelPipe.capacity : min(KernelPipe.capacity, pausesAfter - total),
        to: channel.destination, rate: &rate)
      guard moved > 0 else { return }
      total += moved
      inFlight.follow(rate)
      published(ChannelSnapshot(rawBytes: total, inFlight: inFlight.bytes))
      if !isFree, total >= pausesAfter { pause() }
    }
  }
}
