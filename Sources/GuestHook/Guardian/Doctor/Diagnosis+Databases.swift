extension Diagnosis {
  static func database(_ database: GuestFacts.Database, _ facts: GuestFacts) -> Finding {
    let registration = database.registration
    let allocator = registration.allocator.isEmpty ? "unknown malloc" : registration.allocator
    let fact = """
      \(registration.engine), function tables of \(registration.layout), on \(allocator), process \
      \(database.pid)
      """
    func finding(_ verdict: Verdict, _ advice: String) -> Finding {
      Finding(
        verdict: verdict, topic: "database \(registration.home)", fact: fact, advice: advice)
    }
    let notes = registration.notes.joined(separator: "; ")
    guard registration.holdsFrames else {
      let cache =
        registration.listsLeaves
        ? "its cache is evicted and read back" : "its cache is shrunk and not read back"
      return finding(
        .nothingHeld,
        """
        \(notes); until then \(cache), and its memory crosses as zeroes where ballast gets it, \
        otherwise as it is
        """)
    }
    let limit = database.lockedMemoryLimit
    if !database.isRoot, !facts.isRoot, limit.map({ $0 < database.memory }) ?? true {
      return finding(
        .degrades,
        """
        its limit of locked memory, \(limit.map { "\($0 >> 10) KiB" } ?? "which cannot be read"), \
        holds nothing until a guardian that is root raises it; set LimitMEMLOCK=infinity
        """)
    }
    guard notes.isEmpty else { return finding(.degrades, notes) }
    let locked =
      switch limit {
      case nil: "limit of locked memory unknown"
      case UInt64.max: "locked memory unlimited"
      case .some(let bytes) where bytes < database.memory && !database.isRoot:
        "locked memory limited to \(bytes >> 10) KiB, which the guardian raises"
      case .some(let bytes): "locked memory limited to \(bytes >> 10) KiB"
      }
    return Finding(
      verdict: .well, topic: "database \(registration.home)", fact: "\(fact), \(locked)")
  }

  /// Databases that are not there, though they should.
  static func missing(_ facts: GuestFacts) -> [Finding] {
    var findings = facts.strangers.map {
      Finding(
        verdict: .degrades, topic: "process \($0.pid) (\($0.name))",
        fact: "it has loaded the extension, and no database of it has registered",
        advice: $0.isKeptOut
          ? """
          its memory crosses as it is; its user may not connect to the guardian's socket: give \
          `leafcutter-guest run` --socket-group with a group of that user's
          """
          : """
          its memory crosses as it is; its standard error says whether its engine's function tables \
          are unknown, and LEAFCUTTER_SOCKET must name the guardian's socket
          """)
    }
    if facts.databases.isEmpty, facts.guardianProblem == nil {
      findings.append(
        Finding(
          verdict: .nothingHeld, topic: "databases", fact: "none has registered",
          advice: """
            only page cache and free memory are taken out of a migration; start the database with \
            libleafcutter_hold.so preloaded and libleafcutter_wt.so among its extensions
            """))
    }
    return findings
  }
}
