import HookLink
import PageFilter

// The guest is asked, and its answer is awaited and put to use.

extension MigrationJudge {
  /// Of what a guest notes in its report; it may note any number of things.
  private static let notesShown = 20

  /// Sends PREPARE; or the reason why this migration has to be an ordinary one.
  mutating func askGuest(_ editor: borrowing StreamEditor) -> String? {
    guard let hook else { return "the proxy was told to edit nothing (--no-edit)" }
    let pages: ReportedPages
    let capabilities: MigrationCapabilities
    do {
      if let obstacle = try GuestInquiry.obstacle(options, qmp) { return obstacle }
      capabilities = try MigrationCapabilities.read(from: qmp)
      if let obstacle = capabilities.editingObstacle(of: qmp.version) {
        guard capabilities.zeroesHelp else { return obstacle }
        askForZeroes(hook, because: obstacle)
        return nil
      }
      multifdChannels = capabilities.multifdChannels
      pointOfNoReturn.learn(
        sourceTakesGuestBack: RefusedSwitchover.isPossible(with: capabilities, of: qmp.version))
      guard editor.counters.returnPathOpened else {
        return """
          the source opened no return path, so it may report success before the proxy has judged; \
          turn on the capability return-path on the source
          """
      }
      guard editor.targetPageSize == GuestMemoryMap.pageSize else {
        return """
          the stream's pages have \(editor.targetPageSize) bytes, and the guest's report speaks of \
          pages of \(GuestMemoryMap.pageSize)
          """
      }
      pages = try ReportedPages(
        map: try GuestMemoryMap.read(from: qmp), streamBlocks: editor.blocks)
    } catch let mismatch as ReportedPages.MismatchError {
      return mismatch.sentence
    } catch {
      return "\(error)"
    }
    let inquiry = GuestInquiry(options, hook, qmp)
    qmp.events.mark()
    logger.info(
      "asking the guest to evict its cache", metadata: ["migration": "\(inquiry.migration)"])
    inquiry.send(postcopyPossible: capabilities.postcopyPossible, pages: pages)
    migration = inquiry.migration
    asked = inquiry.began
    return nil
  }

  private mutating func askForZeroes(_ hook: HookConnection, because obstacle: String) {
    let inquiry = GuestInquiry(options, hook, qmp)
    leaveUnedited("\(obstacle); \(GuestInquiry.zeroesAsked)")
    inquiry.send(postcopyPossible: false, pages: nil)
    migration = inquiry.migration
    asked = inquiry.began
    zeroing = obstacle
  }

  mutating func leaveUnedited(_ reason: String) {
    logger.warning("forwarding everything unedited: \(reason)")
    progress.update { $0.uneditedReason = reason }
  }

  mutating func noteOffence(_ offence: String) {
    offenceNoted = true
    leaveUnedited("the guest's report is not used: \(offence)")
  }

  /// Waits until the guest has reported, has declined, or is out of time; or until a leg has ended,
  /// which the relay will notice.
  mutating func awaitReport(_ editor: inout StreamEditor) {
    guard let hook, let asked else { return }
    self.asked = nil
    let inquiry = GuestInquiry(options, hook, qmp, migration, began: asked)
    let session = inquiry.awaitReport(logger) { [source, destination] in
      source.peerHasClosed || destination.peerHasClosed
    }
    switch session?.report {
    case .complete(let report):
      progress.update {
        $0.report = report
        $0.prepareDuration = asked.duration(to: .now)
      }
      for note in report.notes.prefix(MigrationJudge.notesShown) {
        logger.notice("guest: \(note)")
      }
      if let zeroing {
        shared.decide(EditingSession.Terms(blocks: editor.blocks))
        leaveUnedited("\(zeroing); \(GuestInquiry.zeroed(report))")
      } else if let session {
        install(session, report, &editor, took: asked.duration(to: .now))
      }
    case .refused(let reason):
      let rule = session.flatMap { watchMark($0, &editor) }
      // A guest that hears of its mark page no more would not know where it is.
      if rule == nil { hook.abort(reason) }
      shared.decide(EditingSession.Terms(blocks: editor.blocks, mark: rule))
      leaveUnedited(zeroing.map { "\($0); and \(reason)" } ?? reason)
    case .awaited, nil:
      break
    }
  }

  private mutating func install(
    _ session: GuestSession, _ report: GuestMessage.ReportEnd, _ editor: inout StreamEditor,
    took: Duration
  ) {
    let rule = watchMark(session, &editor)
    var terms = EditingSession.Terms(blocks: editor.blocks, mark: rule)
    defer { shared.decide(terms) }
    guard rule != nil, let pages = session.pages else {
      let reason = "the guest's mark page is at an address that is no guest RAM"
      session.pages?.revokeAll()
      // No verdict can reach it, so it hears now that nothing is dropped.
      hook?.abort(reason)
      leaveUnedited(reason)
      return
    }
    if let offence = session.offence { return noteOffence(offence) }
    if let lost = qmp.events.observation.lost {
      hook?.abort("the QMP connection is lost")
      return leaveUnedited("the QMP connection ended, so the switchover has no witness (\(lost))")
    }
    let probes = pages.probeRules(for: migration)
    noteUnproven(pages, withProbe: false, because: "the guest named no probe page there")
    if probes.isEmpty, report.pages > 0 {
      leaveUnedited("the guest named no probe page, so nothing shows where its pages are")
    }
    editor.watch(probes)
    editor.install(pages.dead)
    terms.reported = pages
    terms.probes = probes
    reported = pages
    logger.info(
      """
      the guest holds \(report.pages) pages and reported them after \(took.formattedSeconds); \
      \(report.leavesInManifest) leaf pages are in its manifest
      """)
  }

  /// Says what of the report is not used, in the log and in the summary.
  mutating func noteUnproven(_ pages: ReportedPages, withProbe: Bool, because reason: String) {
    for (start, count) in pages.unproven(withProbe: withProbe) {
      let sentence =
        "\(count) pages in the memory at \(hexadecimal(start)) are not dropped: \(reason)"
      logger.warning("\(sentence)")
      progress.update { $0.report?.notes.append(sentence) }
    }
  }

  private mutating func watchMark(
    _ session: GuestSession, _ editor: inout StreamEditor
  ) -> MarkRule? {
    guard let mark = session.mark,
      let address = session.pages?.locate(guestPhysicalAddress: mark.guestPhysicalAddress)
    else { return nil }
    let rule = MarkRule(
      address: address, identification: MarkPage.identification(for: migration),
      identificationOffset: MarkPage.Offset.signature, zeroes: MarkPage.zeroes,
      verdict: MarkPage.verdict(for: migration), verdictOffset: MarkPage.Offset.verdict)
    editor.watch(rule)
    return rule
  }
}
