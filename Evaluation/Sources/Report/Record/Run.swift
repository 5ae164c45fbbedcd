/// The parts of the evaluation.
public enum Experiment: String, CaseIterable, Codable, Sendable {
  /// The guest's memory against the size of the database.
  case memory
  /// Every method against cache size and link.
  case methods
  /// Pre-copy and Leafcutter under several workloads.
  case workloads
  /// What the database's clients see before, during and after.
  case service
}

/// One run: what was done, and what it came to.
public struct Run: Codable, Sendable {
  /// What a run is repeated with.
  public struct Conditions: Codable, Hashable, Sendable {
    /// The guest's memory in MiB.
    public var memory: Int
    /// How much of that the database's cache holds, in per cent; what it would hold for the ideal.
    public var cacheShare: Int
    public var documents: Int
    /// As tc(8) writes it, or `unshaped`.
    public var link: String
    /// YCSB's letter; `idle` without clients.
    public var mix: String
    /// `zipfian`, `uniform`.
    public var keys: String
    /// Operations a second that clients ask for; nil where they ask as fast as they are answered.
    public var rate: Int?
    /// Operations per second that the storage does at most; nil where it is not limited.
    public var storageLimit: Int?
    /// Megabytes per second that the storage reads and writes at most; nil where it is not limited.
    public var storageMegabytes: Int?

    public init(
      memory: Int, cacheShare: Int, documents: Int, link: String = "unshaped", mix: String = "idle",
      keys: String = "zipfian", rate: Int? = nil, storageLimit: Int? = nil,
      storageMegabytes: Int? = nil
    ) {
      self.memory = memory
      self.cacheShare = cacheShare
      self.documents = documents
      self.link = link
      self.mix = mix
      self.keys = keys
      self.rate = rate
      self.storageLimit = storageLimit
      self.storageMegabytes = storageMegabytes
    }
  }

  /// A stretch of time as clients saw it; see Lab's `Timeline.Stretch`.
  public struct Stretch: Codable, Sendable {
    /// Seconds from the switchover.
    public var start: Double
    public var operationsPerSecond: Double
    /// Milliseconds.
    public var p99: Double

    public init(start: Double, operationsPerSecond: Double, p99: Double) {
      self.start = start
      self.operationsPerSecond = operationsPerSecond
      self.p99 = p99
    }
  }

  public var experiment: Experiment
  public var method: Method?
  public var conditions: Conditions
  /// From 1.
  public var repetition: Int
  private var values: [String: Double] = [:]
  public var stretches: [Stretch]?
  /// Why it failed: then it has no figures, and is not reckoned with.
  public var failure: String?

  public init(
    _ experiment: Experiment, _ method: Method?, _ conditions: Conditions, repetition: Int
  ) {
    self.experiment = experiment
    self.method = method
    self.conditions = conditions
    self.repetition = repetition
  }

  /// Processors that other programs may take: what the system itself does now and then.
  public static let undisturbed = 0.3

  /// Whether other programs took so much of the host that its figures say little. It is kept in the raw
  /// data, and not reckoned with.
  public var isDisturbed: Bool { (self[.otherPrograms] ?? 0) > Run.undisturbed }

  public subscript(_ figure: Figure) -> Double? {
    get { values[figure.rawValue] }
    set { values[figure.rawValue] = newValue }
  }
}
