import Foundation
import Testing

/// One way to migrate: what is turned on, and what is to come of it.
struct Way: CustomTestStringConvertible, Sendable {
  var name: String
  var capabilities: [String] = []
  var parameters: [String: TestMachine.Parameter] = [:]
  /// The held pages are to be dropped, at least this share of them.
  var drops = false
  /// The stream cannot be edited, and the guest is to fill its held pages with zeroes: why.
  var zeroesBecause: String?
  /// Start post-copy so many milliseconds after `migrate`.
  var postcopyAfter: Int?
  var overTCP = false
  /// Stop the guest first: it writes faster than this way carries.
  var stopped = false
  var machine = "pc-q35-10.0"
  /// Milliseconds before the guest reports.
  var preparation = 0
  /// Everything behind TLS without certificates.
  var encrypted = false
  /// Let the guest run at the destination, so that it asks for pages.
  var runs = false

  var testDescription: String { name }

  /// Those whose name contains LEAFCUTTER_WAYS, or all. With LEAFCUTTER_MACHINE they run on that
  /// machine type, and their guests are stopped: QEMU 7.2 damages running ones by itself (TCG).
  static let chosen = all.filter { way in
    // A parameter of 9.0.
    if environment["LEAFCUTTER_MACHINE"] != nil, way.parameters["zero-page-detection"] != nil {
      return false
    }
    return environment["LEAFCUTTER_WAYS"].map(way.name.contains) ?? true
  }.map { way in
    var way = way
    if let machine = environment["LEAFCUTTER_MACHINE"] {
      way.machine = machine
      way.stopped = true
    }
    return way
  }

  private static let environment = ProcessInfo.processInfo.environment

  static let all: [Way] = [
    Way(name: "plain", drops: true),
    Way(name: "pause-before-switchover", capabilities: ["pause-before-switchover"], drops: true),
    Way(
      name: "xbzrle", capabilities: ["xbzrle"], zeroesBecause: "capability xbzrle is on",
      preparation: 500),
    Way(
      name: "multifd 1", capabilities: ["multifd"], parameters: ["multifd-channels": .number(1)],
      drops: true),
    Way(
      name: "multifd 2", capabilities: ["multifd"], parameters: ["multifd-channels": .number(2)],
      drops: true),
    Way(
      name: "multifd 4, TCP", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(4)], drops: true, overTCP: true),
    Way(
      name: "multifd 2, machine of 7.2", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2)], drops: true, machine: "pc-q35-7.2"),
    Way(
      name: "multifd 4, legacy zero pages", capabilities: ["multifd"],
      parameters: [
        "multifd-channels": .number(4), "zero-page-detection": .text("legacy"),
      ], drops: true),
    Way(
      name: "multifd 2, slow guest", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2)], drops: true, preparation: 2500),
    Way(
      name: "TLS", zeroesBecause: "encrypted (TLS)", overTCP: true, preparation: 500,
      encrypted: true),
    Way(
      name: "TLS, multifd 2", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2)], zeroesBecause: "encrypted (TLS)",
      overTCP: true, preparation: 500, encrypted: true),
    Way(
      name: "TLS, postcopy-preempt", capabilities: ["postcopy-ram", "postcopy-preempt"],
      zeroesBecause: "encrypted (TLS)", postcopyAfter: 1000, overTCP: true, encrypted: true),
    Way(
      name: "multifd zlib", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2), "multifd-compression": .text("zlib")],
      zeroesBecause: "pages travel compressed", stopped: true, preparation: 500),
    Way(
      name: "multifd zstd", capabilities: ["multifd"],
      parameters: ["multifd-channels": .number(2), "multifd-compression": .text("zstd")],
      zeroesBecause: "pages travel compressed", stopped: true, preparation: 500),
    Way(name: "postcopy-ram, unused", capabilities: ["postcopy-ram"], drops: true),
    Way(name: "postcopy-ram", capabilities: ["postcopy-ram"], drops: true, postcopyAfter: 1000),
    Way(
      name: "postcopy-preempt", capabilities: ["postcopy-ram", "postcopy-preempt"], drops: true,
      postcopyAfter: 1000),
    Way(
      name: "postcopy-ram, guest runs", capabilities: ["postcopy-ram"], drops: true,
      postcopyAfter: 1000, runs: true),
    Way(
      name: "postcopy-preempt, guest runs, TCP",
      capabilities: ["postcopy-ram", "postcopy-preempt"], drops: true, postcopyAfter: 1000,
      overTCP: true, runs: true),
    Way(
      name: "postcopy-preempt, machine of 7.2, guest runs",
      capabilities: ["postcopy-ram", "postcopy-preempt"], drops: true, postcopyAfter: 1000,
      machine: "pc-q35-7.2", runs: true),
    Way(
      name: "postcopy before the mark page has passed", capabilities: ["postcopy-ram"],
      postcopyAfter: 0),
  ]
}
