import Threads

// What runs on the listener's thread.

extension MigrationProxy {
  /// Takes connections until the migration is over. One that cannot be had ends nothing: it may be a
  /// stranger's, and the guest may run at the destination.
  func acceptConnections() {
    // Accepted, and waiting for a thread or a descriptor.
    var source: Socket?
    while true {
      do throws(SystemError) {
        if source == nil { source = try listener.accept() }
        guard let accepted = source else { return }
        try admit(accepted)
        source = nil
      } catch {
        shortage.note(error)
        guard Shortage.explains(error) || !claimsInterrupt() else {
          return channels.finish(.failed("\(error)"))
        }
        guard listener.pause(for: Shortage.pause) else { return }
      }
    }
  }

  private func admit(_ source: Socket) throws(SystemError) {
    try channels.admit(source) { [logger] reason in
      logger.error("refused a connection: \(reason)")
    } carry: { channel in
      self.logger.debug("channel \(channel.id): \(channel.role)")
      self.binding.bindThread(towards: channel.destination)
      return switch channel.role {
      case .main: self.carryMain(channel)
      case .opaqueMain(let kind): self.carryOpaqueMain(channel, kind)
      case .multifd, .preempt, .encrypted: self.carrySecondary(channel)
      }
    }
  }
}
