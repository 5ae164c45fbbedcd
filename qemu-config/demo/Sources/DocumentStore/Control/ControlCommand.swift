/// A command of the host, one line of text: a word and `name=value` pairs.
public enum ControlCommand: Equatable, Sendable {
  case info
  case warm
  case run(WorkloadOrder)
  case halt
  case verify
  case close
  case ping
  /// What the cache, the guest's memory and its processors are used for.
  case usage
  /// Give the cache another size in MiB, and wait until it has no more than that.
  case cache(mebibytes: Int)
  /// Have the kernel forget its clean pages.
  case dropCaches
  /// What the memory verifiers have seen; see ``TortureDirectory``.
  case memory
  /// Carry out a fault, which is named by lower-case letters and hyphens.
  case fault(String)

  /// What is wrong with a line; `word` is its first, as the answer repeats it.
  public struct Refusal: Error, Equatable, Sendable {
    public var word: String
    public var sentence: String
  }

  public init(line: String) throws(Refusal) {
    let parts = line.split(separator: " ").map(String.init)
    let word = parts.first ?? ""
    let values = parts.dropFirst()
    switch word {
    case "info": self = .info
    case "warm": self = .warm
    case "halt": self = .halt
    case "verify": self = .verify
    case "close": self = .close
    case "ping": self = .ping
    case "usage": self = .usage
    case "drop-caches": self = .dropCaches
    case "memory": self = .memory
    case "cache":
      self = .cache(mebibytes: try ControlCommand.mebibytes(values))
      return
    case "fault":
      self = .fault(try ControlCommand.fault(values))
      return
    case "run":
      self = .run(try ControlCommand.order(values))
      return
    default:
      throw Refusal(
        word: word.isEmpty ? "-" : word,
        sentence: "unknown command; known are info, warm, run, halt, verify, close, ping, usage, "
          + "cache, drop-caches, memory, fault")
    }
    guard values.isEmpty else {
      throw Refusal(word: word, sentence: "this command takes no values")
    }
  }

  private static func mebibytes(_ values: ArraySlice<String>) throws(Refusal) -> Int {
    guard let text = values.first, values.count == 1, text.hasPrefix("mib="),
      let number = Int(text.dropFirst(4)), (1...1_048_576).contains(number)
    else { throw Refusal(word: "cache", sentence: "this command takes mib=N, from 1 to 1048576") }
    return number
  }

  private static func fault(_ values: ArraySlice<String>) throws(Refusal) -> String {
    guard let name = values.first, values.count == 1,
      name.utf8.allSatisfy({ (0x61...0x7a).contains($0) || $0 == 0x2d })
    else { throw Refusal(word: "fault", sentence: "this command takes the name of one fault") }
    return name
  }

  /// `mix=A|B|C rate=OPS threads=N seed=S keys=zipfian|uniform`, in any order; seed and keys may be left
  /// out.
  private static func order(_ values: ArraySlice<String>) throws(Refusal) -> WorkloadOrder {
    func refuse(_ sentence: String) -> Refusal { Refusal(word: "run", sentence: sentence) }
    var mix: WorkloadMix?
    var rate: Double?
    var threads: Int?
    var seed: UInt64 = 1
    var keys = KeyDistribution.zipfian
    for value in values {
      let pair = value.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2 else { throw refuse("'\(value)' is not name=value") }
      switch pair[0] {
      case "mix": mix = WorkloadMix(rawValue: pair[1])
      case "rate": rate = Double(pair[1])
      case "threads": threads = Int(pair[1])
      case "seed":
        guard let number = UInt64(pair[1]) else { throw refuse("seed takes a whole number") }
        seed = number
      case "keys":
        guard let distribution = KeyDistribution(rawValue: pair[1]) else {
          throw refuse("keys takes zipfian or uniform")
        }
        keys = distribution
      default: throw refuse("'\(pair[0])' is not mix, rate, threads, seed or keys")
      }
    }
    guard let mix else { throw refuse("mix takes A, B or C") }
    guard let rate, rate >= 0.01, rate <= 10_000_000 else {
      throw refuse("rate takes operations a second, from 0.01 to 10000000")
    }
    guard let threads, (1...256).contains(threads) else {
      throw refuse("threads takes a number from 1 to 256")
    }
    return WorkloadOrder(mix: mix, rate: rate, threads: threads, seed: seed, keys: keys)
  }
}
