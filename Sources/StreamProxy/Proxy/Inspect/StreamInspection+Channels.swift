// A migration that was recorded channel by channel.

extension StreamInspection {
  /// What one file contains.
  public struct Channel: Encodable, Sendable {
    public var file: String
    /// "main", "recovery" (the main channel of a post-copy recovery), "multifd", "postcopy-preempt",
    /// "encrypted", "empty", or "unknown".
    public var kind: String
    public var bytes: UInt64
    public var problem: Problem?
    /// The problem is that the connection broke, and a post-copy recovery has brought the migration to its
    /// end.
    public var recovered = false
    public var pages: Pages
    /// Blocks of which it carries pages.
    public var blocks: [BlockPages]
    public var multifd: Multifd?
  }

  public struct BlockPages: Encodable, Equatable, Sendable {
    public var name: String
    public var normal: Int
    public var zero: Int
    public var xbzrle = 0
    public var compressed = 0

    var pages: Pages {
      Pages(normal: normal, zero: zero, xbzrle: xbzrle, compressed: compressed)
    }
  }

  /// What only a multifd channel has.
  public struct Multifd: Encodable, Equatable, Sendable {
    /// The source's number for the channel.
    public var id: Int?
    public var packets = 0
    /// Packets after which the channel waits for the others; they may carry pages too (up to 8.2).
    public var syncPackets = 0
    public var deviceStatePackets = 0
    /// "none", "zlib", "zstd", "qpl", "uadk" or "qatzip"; nil where no packet carried pages.
    public var compression: String?
  }

  /// Adds what another channel of the same migration has carried.
  mutating func add(_ other: StreamInspection) {
    bytes += other.bytes
    problem = problem ?? other.problem
    pages += other.pages
    rounds += other.rounds
    multifdFlushes += other.multifdFlushes
    deviceStates += other.deviceStates
    for block in other.channels.flatMap(\.blocks) {
      guard let index = blocks.firstIndex(where: { $0.name == block.name }) else { continue }
      blocks[index].pages += block.pages
    }
    for command in other.commands {
      if let index = commands.firstIndex(where: { $0.number == command.number }) {
        commands[index].count += command.count
      } else {
        commands.append(command)
      }
    }
    for section in other.sections {
      guard let index = sections.firstIndex(where: { $0.id == section.id }) else { continue }
      sections[index].parts += section.parts
      sections[index].ends += section.ends
      sections[index].bytes += section.bytes
    }
    for share in other.bytesByKind {
      if let index = bytesByKind.firstIndex(where: { $0.kind == share.kind }) {
        bytesByKind[index].bytes += share.bytes
      } else {
        bytesByKind.append(share)
      }
    }
    channels += other.channels
  }
}
