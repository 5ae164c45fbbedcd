import HookLink

/// What the guest has said about one migration, and what follows from it.
///
/// The guest is not trusted: it may lie, repeat itself, contradict itself or fall silent. Whatever it
/// says can make its own migration an ordinary one or fail it, and nothing else.
struct GuestSession {
  /// How far the report has come.
  enum Report: Equatable {
    case awaited
    case complete(GuestMessage.ReportEnd)
    /// The pages are not used, and why: the migration goes on as an ordinary one.
    case refused(String)
  }

  static let guardianEnded =
    "leafcutter-guest ended in the guest while it was preparing; see its log there"

  let migration: MigrationID
  /// Where reported pages are entered and revoked ones are taken out; nil where the guest was asked
  /// for zeroes and not for a report.
  let pages: ReportedPages?
  private let rules: SafetyRules

  private(set) var mark: GuestMessage.Mark?
  /// What the guest's own times, in its messages, say of its clock.
  private(set) var clock = GuestClock()
  private(set) var report = Report.awaited
  /// The guest broke its word after its report was complete: dropping must not go on.
  private(set) var offence: String?
  private(set) var resumed: GuestMessage.Resumed?
  /// It has been told that it stays.
  private var isAborted = false
  private(set) var progress: GuestMessage.Progress?
  /// The last heartbeat that was acknowledged: when, and the guest's clock in nanoseconds.
  private(set) var lastHeartbeat: (at: ContinuousClock.Instant, time: UInt64)?
  private(set) var pagesNamed: UInt64 = 0
  /// Over all messages, as often as they were named.
  private var pagesTakenBack: UInt64 = 0
  /// As many times as there are pages: an honest guest takes each back once, and some with their pieces.
  private static let mostTakenBack: UInt64 = 4
  /// As many as have addresses; for where nobody knows the guest's memory.
  private static let mostPages = UInt64(1) << 52

  init(migration: MigrationID, pages: ReportedPages?, rules: SafetyRules = SafetyRules()) {
    self.migration = migration
    self.pages = pages
    self.rules = rules
  }

  /// It is told that it stays, so it may let go.
  mutating func abort() { isAborted = true }

  /// Takes one frame in, which arrived when the guest had run `running` nanoseconds; the
  /// acknowledgement to send, if it wants one.
  mutating func receive(_ frame: Frame, running: UInt64) -> HostMessage.Acknowledge? {
    guard frame.migration == migration else {
      // Another guardian, which has just come to the port: the one that was asked is gone.
      if frame.migration == .none, frame.type == GuestMessage.Declined.code, mark != nil {
        giveUp(GuestSession.guardianEnded)
      }
      return nil
    }
    do throws(MessageError) {
      return receive(try GuestMessage(frame), running: running)
    } catch {
      refuse("the guest sent a message that cannot be read: \(error)")
      return nil
    }
  }

  private mutating func receive(
    _ message: GuestMessage, running: UInt64
  ) -> HostMessage.Acknowledge? {
    switch message {
    case .mark(let announced):
      if let mark, mark.guestPhysicalAddress != announced.guestPhysicalAddress {
        refuse("the guest named a second mark page; there is one for each migration")
      } else {
        mark = announced
        clock.heard(time: announced.time, running: running)
      }
    case .held(let held):
      add(held)
    case .reportEnd(let end):
      finish(end)
    case .revoke(let revoke):
      // The order is the whole point: the bits are gone before the acknowledgement is even made.
      if rules.clearsBeforeAcknowledging { clear(revoke.ranges) }
      return HostMessage.Acknowledge(sequence: revoke.sequence)
    case .heartbeat(let beat):
      lastHeartbeat = (.now, beat.time)
      clock.heard(time: beat.time, running: running)
      return HostMessage.Acknowledge(sequence: beat.sequence)
    case .progress(let now):
      progress = now
    case .declined(let declined):
      refuse("the guest cannot take part: \(declined.reason)")
    case .resumed(let result):
      resumed = result
      // It has let go of what it has reported, though nobody has told it to.
      if !isAborted, pages != nil {
        refuse("the guest says that the migration is over, and the proxy has not said so")
      }
    }
    return nil
  }

  /// After the return none of these pages is dropped; nil is all of them.
  ///
  /// Whoever takes back more than there is, in one message or in all of them, takes time, and means everything.
  private mutating func clear(_ ranges: [PageRange]?) {
    guard let pages else { return }
    guard let ranges else { return pages.revokeAll() }
    let all = pages.pageCount
    for range in ranges {
      pagesTakenBack =
        pagesTakenBack.addingReportingOverflow(min(range.count, all + 1)).partialValue
      guard range.count <= all, pagesTakenBack <= GuestSession.mostTakenBack * all else {
        return pages.revokeAll()
      }
      pages.revoke(range)
    }
  }

  private mutating func add(_ held: HeldPages) {
    guard report == .awaited else {
      refuse("the guest reported pages after its report was complete")
      return
    }
    guard let pages else {
      refuse("the guest reported pages and was asked to fill them with zeroes")
      return
    }
    do throws(ReportError) {
      pagesNamed += UInt64(try pages.add(held))
    } catch {
      refuse("the guest's report is not used: \(error)")
    }
  }

  private mutating func finish(_ end: GuestMessage.ReportEnd) {
    guard report == .awaited else {
      refuse("the guest sent a second report")
      return
    }
    guard mark != nil else {
      refuse("the guest sent its report before it said where its mark page is")
      return
    }
    guard end.pages == pagesNamed else {
      refuse("the guest's report says \(end.pages) pages and names \(pagesNamed)")
      return
    }
    let most = pages?.pageCount ?? GuestSession.mostPages
    guard end.pages <= most, end.pagesZeroed <= most - end.pages else {
      refuse(
        """
        the guest's report says \(end.pages) pages and \(end.pagesZeroed) filled with zeroes, more \
        than there are
        """)
      return
    }
    do throws(ReportError) {
      try pages?.add(probes: end.probes)
      report = .complete(end)
    } catch {
      refuse("the guest's probe pages are not used: \(error)")
    }
  }

  /// Uses nothing the guest reported. Once the report has been put to use, taking it back is not
  /// enough to know what else was wrong with it: that is an offence.
  private mutating func refuse(_ reason: String) {
    switch report {
    case .complete: offence = offence ?? reason
    case .awaited: report = .refused(reason)
    // The first reason is the one that explains the others.
    case .refused: break
    }
    pages?.revokeAll()
  }

  /// Ends the waiting for the report from the proxy's side: too late, or nobody there.
  mutating func giveUp(_ reason: String) {
    guard report == .awaited else { return }
    report = .refused(reason)
    pages?.revokeAll()
  }
}
