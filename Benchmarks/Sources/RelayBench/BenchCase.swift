import StreamProxy

/// One thing that is measured: who relays, and what is relayed over what.
struct BenchCase: Hashable, Sendable {
  enum Relay: String, CaseIterable, Sendable {
    /// Source and destination are connected to each other.
    case none
    case socat, haproxy, nginx
    /// This program's own: splice(2) to and fro, and nothing else.
    case splice
    case leafcutter

    /// Its children serve one connection each and end with it.
    var endsItsChildren: Bool { self != .nginx }
  }

  enum Mode: String, CaseIterable, Sendable { case single, multifd }

  enum SocketFamily: String, CaseIterable, Sendable { case tcp, unix }

  var relay: Relay
  var mode: Mode
  /// That carry pages; the main channel is not counted with multifd.
  var channels: Int
  var socket: SocketFamily
  var dead = DeadPattern.none

  /// What its throughput is compared with.
  var withoutRelay: BenchCase {
    BenchCase(relay: .none, mode: mode, channels: channels, socket: socket)
  }

  /// Everything that `make bench` measures on these sockets, in its order: what is compared stands
  /// together, so that it is measured within seconds.
  static func all(
    sockets: [SocketFamily], modes: [Mode], channels: [Int], relays: [Relay]
  ) -> [BenchCase] {
    var cases: [BenchCase] = []
    for socket in sockets {
      for mode in modes {
        for count in mode == .single ? [1] : channels {
          for relay in Relay.allCases where relay == .none || relays.contains(relay) {
            for dead in relay == .leafcutter ? DeadPattern.measured : [.none] {
              cases.append(
                BenchCase(relay: relay, mode: mode, channels: count, socket: socket, dead: dead))
            }
          }
        }
      }
    }
    return cases
  }
}

extension BenchCase: CustomStringConvertible {
  var description: String {
    let pages = dead.percent == 0 ? "" : ", \(dead.percent) % dead in \(dead.arrangement.rawValue)"
    return "\(relay), \(mode) \(channels), \(socket)\(pages)"
  }
}

/// Which pages the guest has reported: chosen by their numbers, so that every run drops the same.
struct DeadPattern: Hashable, Sendable {
  enum Arrangement: String, Sendable {
    /// Eight pages in a row: a leaf of 32 KiB.
    case runs
    case scattered
  }

  var percent: Int
  var arrangement: Arrangement

  static let none = DeadPattern(percent: 0, arrangement: .runs)

  static let measured =
    [none]
    + [50, 90, 99].flatMap { percent in
      [Arrangement.runs, .scattered].map { DeadPattern(percent: percent, arrangement: $0) }
    }

  /// Of ``measured``, each once.
  static let percents = Set(measured.map(\.percent)).sorted()

  func isDead(_ page: Int) -> Bool {
    var word = UInt64(arrangement == .runs ? page / 8 : page)
    // SplitMix64's finaliser: neighbours have nothing in common.
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    word ^= word >> 31
    return word % 100 < UInt64(percent)
  }
}
