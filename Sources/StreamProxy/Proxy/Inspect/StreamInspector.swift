import PageFilter

/// Reads the recorded channels of one migration, each once.
///
/// The main one is read first, whatever the order: it announces what the others speak of. A recovery
/// is read after it. Without the main one a recovery cannot be read, and other channels can.
public enum StreamInspector {
  /// - Parameter paths: files or pipes; "-" reads the standard input.
  /// - Throws: ``SystemError`` where one cannot be opened or read.
  public static func inspect(paths: [String]) throws(SystemError) -> StreamInspection {
    var files: [RecordedChannel] = []
    for path in paths { files.append(try RecordedChannel(path: path)) }
    return try inspect(files)
  }

  /// One file.
  public static func inspect(path: String) throws(SystemError) -> StreamInspection {
    try inspect(paths: [path])
  }

  private static func inspect(_ files: [RecordedChannel]) throws(SystemError) -> StreamInspection {
    var found = [StreamInspection?](repeating: nil, count: files.count)
    let main = files.firstIndex { $0.kind == .main }
    var reader: MainInspector?
    if let main {
      let begun = try MainInspector.read(files[main])
      found[main] = begun.inspection
      reader = begun
    }
    for (index, file) in files.enumerated() where index != main {
      found[index] =
        switch file.kind {
        case .multifd: try MultifdInspector.inspect(file, main: reader?.inspection)
        case .preempt: try MainInspector.readPreempt(file, main: reader).inspection
        case .recovery: try recovery(file, main: reader)
        case .main: unreadable(file, "the migration has a main channel already")
        case .encrypted: unreadable(file, "the channel is encrypted (TLS)", kind: "encrypted")
        case .empty: empty(file, isAlone: files.count == 1)
        case .unknown: try MainInspector.read(file, kind: "unknown").inspection
        }
    }
    var read = found.compactMap(\.self)
    forgiveBreaks(&read)
    compareSynchronisations(&read)
    return sum(read, main: main)
  }

  private static func recovery(
    _ file: RecordedChannel, main: MainInspector?
  ) throws(SystemError) -> StreamInspection {
    guard let main else {
      return unreadable(
        file,
        """
        this is the stream of a post-copy recovery, which rests on the list of blocks of the \
        connection that broke; give the record of that main channel too
        """, kind: "recovery")
    }
    return try MainInspector.readRecovery(file, main: main).inspection
  }

  private static func empty(_ file: RecordedChannel, isAlone: Bool) -> StreamInspection {
    // Beside others it is a preempt channel that had nothing to carry.
    isAlone
      ? unreadable(file, "the stream is empty", kind: "empty")
      : unreadable(file, nil, kind: "empty")
  }

  private static func unreadable(
    _ file: RecordedChannel, _ sentence: String?, kind: String = "main"
  ) -> StreamInspection {
    var inspection = StreamInspection(targetPageSize: 4096)
    let problem = sentence.map { StreamInspection.Problem(offset: 0, sentence: $0) }
    inspection.problem = problem
    inspection.channels = [
      .init(
        file: file.name, kind: kind, bytes: 0, problem: problem, pages: .none, blocks: [])
    ]
    return inspection
  }

  /// All channels together; what only a main channel has is its own.
  private static func sum(_ found: [StreamInspection], main: Int?) -> StreamInspection {
    guard found.count > 1 else { return found[0] }
    var named = found
    for (index, inspection) in found.enumerated() {
      named[index].problem?.file = inspection.channels[0].file
    }
    var sum = main.map { named[$0] } ?? StreamInspection(targetPageSize: 4096)
    for (index, inspection) in named.enumerated() where index != main { sum.add(inspection) }
    sum.channels = named.flatMap(\.channels)
    return sum
  }
}
