import Logging
import Synchronization

/// Has the guest fill its frames with zeroes where every channel is encrypted: nobody but QEMU sees
/// where pages begin, so each channel is held up when a little of it has passed, once, until the guest
/// has reported.
///
/// The little is what handshakes need: QEMU's main loop, by which the guest hears PREPARE and QMP is
/// answered, may stand still until they are over. Beyond it there are pages, or what announces them.
/// A channel that never has so much to say is never held up: with multifd the main one may be such.
final class EncryptedPreparation: Sendable {
  /// Bytes from the source. A handshake with certificates on both sides takes some 10 KB, the preamble
  /// with the list of RAM blocks a few hundred; of pages, at most 15 fit.
  static let freeBytes = 64 * 1024

  private let options: MigrationProxy.Options
  private let qmp: QMPClient
  private let hook: HookConnection?
  private let progress: SharedProgress
  private let shared: EditingSession
  private let logger: Logger
  private let hasBegun = Atomic(false)

  init(
    options: MigrationProxy.Options, qmp: QMPClient, hook: HookConnection?,
    progress: SharedProgress, shared: EditingSession, logger: Logger
  ) {
    self.options = options
    self.qmp = qmp
    self.hook = hook
    self.progress = progress
    self.shared = shared
    self.logger = logger
  }

  /// Returns when the channel may go on. Of those that come here the first asks the guest.
  func holdUp(_ channel: Channel) {
    guard !hasBegun.exchange(true, ordering: .sequentiallyConsistent) else {
      _ = shared.awaitTerms()
      return
    }
    let outcome: String?
    do throws(QMPError) {
      outcome = try ask(channel)
    } catch {
      outcome = "and the guest cannot be asked: \(error)"
    }
    // Whatever came of it: nothing is dropped.
    shared.decide(EditingSession.Terms())
    if let outcome { note(outcome) }
  }

  /// What is to be told about it.
  private func ask(_ channel: Channel) throws(QMPError) -> String? {
    guard let hook else { return nil }
    if let obstacle = try GuestInquiry.obstacle(options, qmp) { return "and \(obstacle)" }
    guard try MigrationCapabilities.read(from: qmp).zeroesHelp else { return nil }
    let inquiry = GuestInquiry(options, hook, qmp)
    note(GuestInquiry.zeroesAsked)
    inquiry.send(postcopyPossible: false, pages: nil)
    let session = inquiry.awaitReport(logger) {
      channel.source.peerHasClosed || channel.destination.peerHasClosed
    }
    switch session?.report {
    case .complete(let report):
      progress.update {
        $0.report = report
        $0.prepareDuration = inquiry.began.duration(to: .now)
      }
      return GuestInquiry.zeroed(report)
    case .refused(let reason):
      hook.abort(reason)
      return "and \(reason)"
    case .awaited, nil:
      return nil
    }
  }

  private func note(_ sentence: String) {
    logger.notice("encrypted: \(sentence)")
    progress.update { $0.uneditedReason = "\(EncryptedPreparation.reason); \(sentence)" }
  }

  static let reason = "the stream is encrypted (TLS)"
}
