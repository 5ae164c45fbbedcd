import Glibc
import HookLink

/// The report: which frames are held, or how many have been filled with zeroes.
extension Guardian {
  func report(_ migration: Migration, _ prepared: [LocalMessage.Prepared]) {
    var frames = FrameSet()
    var probes: [UInt64] = []
    if migration.request.zeroHeldFrames {
      erase(migration)
    } else {
      probes = readFrames(migration, into: &frames)
    }
    migration.pagesReported = frames.count
    migration.bytesHeld = migration.databases.reduce(0) { sum, database in
      database.ring == nil ? sum : database.pieces.reduce(sum) { $0 + $1.length }
    }
    migration.holdsFrames = migration.databases.contains { $0.ring != nil }
    for piece in frames.pieces() { port.send(piece, for: migration.id) }
    migration.noteStep("guardian: PREPARE to report", since: migration.began)
    // Before the report, so that a post-copy that begins right after it finds the lease running.
    if migration.linkLostSince == nil {
      sendHeartbeat(migration, at: monotonicNanoseconds(), droppable: false)
    }
    port.send(
      GuestMessage.ReportEnd(
        pages: migration.pagesReported, pagesZeroed: migration.pagesZeroed, probes: probes,
        leavesListed: prepared.reduce(0) { $0 + $1.leavesListed },
        leavesInManifest: prepared.reduce(0) { $0 + $1.leavesInManifest },
        leavesEvicted: prepared.reduce(0) { $0 + $1.leavesEvicted },
        steps: migration.steps, notes: migration.notes), for: migration.id)
    logger.info(
      """
      reported \(migration.pagesReported) held pages and \(probes.count) probes, \
      \(migration.pagesZeroed) filled with zeroes
      """)
  }

  private func erase(_ migration: Migration) {
    let began = monotonicNanoseconds()
    for database in migration.databases {
      guard let memory = database.memory else { continue }
      do throws(SystemError) {
        migration.pagesZeroed += try memory.erase(database.pieces)
      } catch {
        migration.note("database \(database.home): \(error)")
      }
    }
    migration.noteStep("fill held frames with zeroes", since: began)
  }

  /// Reads which frames are held, makes some of them probes, which are not reported, and returns the
  /// probes' addresses.
  private func readFrames(_ migration: Migration, into frames: inout FrameSet) -> [UInt64] {
    let began = monotonicNanoseconds()
    var candidates = ProbeCandidates(migration.request.segments)
    for (index, database) in migration.databases.enumerated() {
      guard let memory = database.memory else { continue }
      do throws(SystemError) {
        var reader = PagemapReader(memory)
        for piece in database.pieces {
          try reader.read(piece, of: index, into: &frames, &candidates)
        }
        if reader.refused > 0 {
          migration.note("\(reader.refused) pages of \(database.home) are not held as they must be")
        }
        if reader.unknown > 0 {
          migration.note(
            """
            \(reader.unknown) held pages of \(database.home) lie where the host knows no memory, and \
            are not reported
            """)
        }
      } catch {
        migration.note("database \(database.home): \(error)")
      }
    }
    migration.noteStep("read frame numbers", since: began)
    return writeProbes(candidates.chosen, migration, &frames)
  }

  private func writeProbes(
    _ chosen: [ProbeCandidates.Place], _ migration: Migration, _ frames: inout FrameSet
  ) -> [UInt64] {
    let began = monotonicNanoseconds()
    var probes: [UInt64] = []
    for place in chosen {
      // Whatever comes of it, the page is not what it was.
      frames.remove(place.frame)
      let database = migration.databases[place.database]
      guard let memory = database.memory else { continue }
      do throws(SystemError) {
        if try memory.writeProbe(at: place, for: migration.id) {
          probes.append(place.frame * HeldPages.pageSize)
        } else {
          migration.note("a held page of \(database.home) has left its frame")
        }
      } catch {
        migration.note("database \(database.home): \(error)")
      }
    }
    migration.noteStep("write probe pages", since: began)
    return probes
  }
}
