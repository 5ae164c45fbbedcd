import PageFilter
import Synchronization
import Threads

/// What the channels of one migration that carry pages have to agree on: the main one, multifd ones
/// and post-copy's preempt channel.
///
/// Pages may come on a multifd channel before the main one's thread has read the list of blocks, and
/// the judgement at the end of RAM concerns what all of them have dropped. So a channel waits at its
/// first page until it knows the terms, and the judge waits until every channel has passed the
/// synchronisation that belongs to the END section. Losing one would hang the destination, so none
/// is ever held back but by what stands before it on its channel.
final class EditingSession: Sendable {
  /// What channels may do with pages.
  struct Terms: Sendable {
    var blocks: [RAMBlock] = []
    /// What the guest has reported; nil where nothing is dropped.
    var reported: ReportedPages?
    var mark: MarkRule?
    /// By them ``reported`` is proven, by their numbers.
    var probes: [ProbeRule] = []

    var dead: DeadPages? { reported?.dead }
  }

  /// The size of the pages, in bytes, that other channels than the main one are read with.
  static let pageSize = 4096

  private enum Channel {
    /// Has passed so many synchronisations.
    case edited(Int)
    /// Is forwarded unread.
    case raw
    case ended
  }

  private struct State {
    var pageSize: Int?
    var terms: Terms?
    var channels: [Int: Channel] = [:]
    var hasDropped = false
    /// Why no channel may drop any more.
    var refusal: String?
    var isJudged = false
    var isOver = false
  }

  private let state = Guarded(State())

  // MARK: The terms

  /// Sets the terms; only the first call counts.
  func decide(_ terms: Terms) {
    state.update { state in
      guard state.terms == nil else { return }
      state.terms = terms
      if state.refusal != nil { state.terms?.reported = nil }
    }
  }

  /// The main channel has come to where the size of the target's pages is known, in bytes.
  func learn(pageSize: Int) { state.update { $0.pageSize = pageSize } }

  /// Waits for the size of the target's pages. Where the main channel is not parsed nobody says it,
  /// and nobody edits.
  func awaitPageSize() -> Int {
    state.wait { state in
      state.pageSize ?? (state.terms != nil || state.isOver ? EditingSession.pageSize : nil)
    }
  }

  /// Waits for the terms.
  func awaitTerms() -> Terms {
    state.wait { state in state.terms ?? (state.isOver ? Terms() : nil) }
  }

  /// The main channel has ended: nobody waits for anything any more.
  func finish() { state.update { $0.isOver = true } }

  // MARK: Dropping

  /// Why nothing may be dropped any more.
  var refusal: String? { state.read { $0.refusal } }

  /// Whether another channel than the main one has; the main one's thread asks its own editor, too.
  var hasDropped: Bool { state.read { $0.hasDropped } }

  /// Asked by another channel than the main one before its first dropped page is written: false where it came too late,
  /// because another channel has met something that it does not know.
  func claimDropping() -> Bool {
    state.update { state in
      guard state.refusal == nil else { return false }
      state.hasDropped = true
      return true
    }
  }

  /// From now on nothing is dropped on any channel, because one of them cannot be read; false where
  /// pages have been dropped already, so that the migration must fail.
  func refuseDropping(_ reason: String) -> Bool {
    state.update { state in
      if state.refusal == nil { state.refusal = reason }
      state.terms?.reported?.revokeAll()
      return state.isJudged || !state.hasDropped
    }
  }

  /// What was dropped has been judged: from here on a channel that cannot be read is passed on.
  func passPointOfNoReturn() { state.update { $0.isJudged = true } }

  // MARK: Synchronisations

  func joined(_ channel: Int) { state.update { $0.channels[channel] = .edited(0) } }

  func passed(syncs: Int, on channel: Int) {
    state.update { $0.channels[channel] = .edited(syncs) }
  }

  func becameRaw(_ channel: Int) { state.update { $0.channels[channel] = .raw } }

  func ended(_ channel: Int) { state.update { $0.channels[channel] = .ended } }

  /// Waits until `count` channels have each passed `syncs` synchronisations; false where one ended
  /// before, or `isVain` says so, which is asked ten times a second. However long: a slow wire is no
  /// error, and an end of the migration ends the channels.
  func awaitSyncs(_ syncs: Int, of count: Int, unless isVain: () -> Bool) -> Bool {
    while true {
      let all: Bool? = state.wait(until: .now + .milliseconds(100)) { state in
        var there = 0
        for channel in state.channels.values {
          switch channel {
          case .edited(let passed) where passed >= syncs: there += 1
          case .edited: break
          case .raw: there += 1
          case .ended: return false
          }
        }
        return there >= count ? true : state.isOver ? false : nil
      }
      if let all { return all }
      if isVain() { return false }
    }
  }
}
