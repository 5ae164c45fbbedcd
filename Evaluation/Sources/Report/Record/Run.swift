/// The parts of the evaluation.
package enum Experiment: String, CaseIterable, Codable, Sendable {
  /// The guest's memory against the size of the database.
  case memory
  /// Every method against cache size and link.
  case methods
  /// Whether a migration arrives under several workloads.
  case workloads
  /// What the database's clients see before, during and after.
  case service
}

/// One run: what was done, and what it came to.
package struct Run: Codable, Sendable {
  /// What a run is repeated with.
  package struct Conditions: Codable, Hashable, Sendable {
    /// The guest's memory in MiB.
    package var memory: Int
    /// The guest's.
    package var processors: Int
    /// How much of that the database's cache holds, in per cent; what it would hold for the ideal.
    package var cacheShare: Int
    package var documents: Int
    /// As tc(8) writes it, or `unshaped`.
    package var link: String
    /// YCSB's letter; `idle` without clients.
    package var mix: String
    /// `zipfian`, `uniform`.
    package var keys: String
    /// Operations a second that clients ask for; nil where they ask as fast as they are answered.
    package var rate: Int?
    /// Operations per second that the storage does at most; nil where it is not limited.
    package var storageLimit: Int?
    /// Megabytes per second that the storage reads and writes at most; nil where it is not limited.
    package var storageMegabytes: Int?
    /// MiB that Leafcutter, or an operator by hand, leaves of the cache; nil for methods that leave it all.
    package var smallCache: Int?
    /// `tcp` or `unix`: how the source reaches the proxy; nil for methods without one.
    package var proxySocket: String?
    /// Seconds after which a migration is cancelled.
    package var patience: Int?
    /// Seconds that clients are watched before the first command, and after the switchover; nil where
    /// what they saw is not part of the experiment.
    package var before: Int?
    package var after: Int?

    package init(
      memory: Int, processors: Int, cacheShare: Int, documents: Int, link: String = "unshaped",
      mix: String = "idle", keys: String = "zipfian", rate: Int? = nil, storageLimit: Int? = nil,
      storageMegabytes: Int? = nil, smallCache: Int? = nil, proxySocket: String? = nil,
      patience: Int? = nil,
      before: Int? = nil, after: Int? = nil
    ) {
      self.memory = memory
      self.processors = processors
      self.cacheShare = cacheShare
      self.documents = documents
      self.link = link
      self.mix = mix
      self.keys = keys
      self.rate = rate
      self.storageLimit = storageLimit
      self.storageMegabytes = storageMegabytes
      self.smallCache = smallCache
      self.proxySocket = proxySocket
      self.patience = patience
      self.before = before
      self.after = after
    }
  }

  /// One invocation of the program, in which methods took turns.
  package struct Session: Codable, Hashable, Sendable {
    /// When it began, in UTC (ISO 8601).
    package var began: String
    /// The commit that was measured, as `git describe` names it; nil where nobody said.
    package var commit: String?

    package init(began: String, commit: String?) {
      self.began = began
      self.commit = commit
    }
  }

  /// A stretch of time as clients saw it; see Lab's `Timeline.Stretch`.
  package struct Stretch: Codable, Sendable {
    /// Seconds from the switchover.
    package var start: Double
    package var operationsPerSecond: Double
    /// Milliseconds.
    package var p99: Double

    package init(start: Double, operationsPerSecond: Double, p99: Double) {
      self.start = start
      self.operationsPerSecond = operationsPerSecond
      self.p99 = p99
    }
  }

  package var experiment: Experiment
  package var method: Method?
  package var conditions: Conditions
  /// From 1.
  package var repetition: Int
  package var session: Session?
  private var values: [String: Double] = [:]
  package var stretches: [Stretch]?
  /// Why it failed: then it has no figures, and is not reckoned with.
  package var failure: String?

  package init(
    _ experiment: Experiment, _ method: Method?, _ conditions: Conditions, repetition: Int
  ) {
    self.experiment = experiment
    self.method = method
    self.conditions = conditions
    self.repetition = repetition
  }

  /// Processors that other programs may take: what the system itself does now and then.
  package static let undisturbed = 0.3

  /// Whether other programs took so much of the host that its figures say little. It is kept in the raw
  /// data, and not reckoned with.
  package var isDisturbed: Bool { (self[.otherPrograms] ?? 0) > Run.undisturbed }

  package subscript(_ figure: Figure) -> Double? {
    get { values[figure.rawValue] }
    set { values[figure.rawValue] = newValue }
  }
}
