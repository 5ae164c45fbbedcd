// swift-tools-version: 6.3
// 6.3: the extension's entry point is a Swift function with a C name (`@c`).
import PackageDescription

// Every target is built with Swift 6's strict concurrency (the tools version turns it on), with
// strict memory safety (each `unsafe` is marked, and justified there or at the head of its function
// or type) and with warnings as errors.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]
let strictC: [CSetting] = [.define("_GNU_SOURCE"), .treatAllWarnings(as: .error)]

// The WiredTiger extension is loaded into somebody else's process: it brings its own Swift runtime
// and must stay mapped when WiredTiger closes it, because its thread may still run.
let selfContained: [LinkerSetting] = [
  .unsafeFlags(["-static-stdlib", "-Xlinker", "-z", "-Xlinker", "nodelete"])
]

let package = Package(
  name: "leafcutter",
  products: [
    .library(name: "PageFilter", targets: ["PageFilter"]),
    .library(name: "HookLink", targets: ["HookLink"]),
    .library(name: "StreamProxy", targets: ["StreamProxy"]),
    .library(name: "Threads", targets: ["Threads"]),
    // Synthetic migration streams, for the tests here and in Fuzzing.
    .library(name: "StreamSamples", targets: ["StreamSamples"]),
    .executable(name: "leafcutter", targets: ["leafcutter"]),
    .executable(name: "leafcutter-guest", targets: ["leafcutter-guest"]),
    .library(name: "leafcutter_wt", type: .dynamic, targets: ["WiredTigerExtensionEntry"]),
    .library(name: "leafcutter_hold", type: .dynamic, targets: ["CHold"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .target(name: "PageFilter", swiftSettings: strict),
    .target(name: "Checksum", swiftSettings: strict),
    .target(name: "HookLink", dependencies: ["Checksum"], swiftSettings: strict),

    // What blocks, and what wakes it: the proxy's and the guardian's.
    .target(name: "CThreads", cSettings: strictC),
    .target(name: "Threads", dependencies: ["CThreads"], swiftSettings: strict),

    .target(name: "CProxySystem", cSettings: strictC),
    .target(
      name: "StreamProxy",
      dependencies: [
        "PageFilter", "HookLink", "Threads", "CProxySystem",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Sources/StreamProxy/Proxy", swiftSettings: strict),
    .executableTarget(
      name: "leafcutter",
      dependencies: [
        "StreamProxy", "PageFilter", "HookLink", "Threads",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Sources/StreamProxy/Command", swiftSettings: strict),

    .target(name: "CGuestSystem", cSettings: strictC),
    .target(
      name: "LeafManifest", dependencies: ["Checksum"], path: "Sources/GuestHook/Manifest",
      swiftSettings: strict),
    .target(
      name: "Guardian",
      dependencies: [
        "HookLink", "Threads", "CGuestSystem",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Sources/GuestHook/Guardian", swiftSettings: strict),
    .executableTarget(
      name: "leafcutter-guest",
      dependencies: [
        "Guardian", "HookLink", "LeafManifest", "Threads",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Sources/GuestHook/Command", swiftSettings: strict),
    // Loaded into programs that know nothing of Swift: nothing of its runtime may come along.
    .target(
      name: "CHold", path: "Sources/GuestHook/Hold", cSettings: strictC,
      linkerSettings: [
        .unsafeFlags(["-static-stdlib", "-nostartfiles", "-Xlinker", "--as-needed"])
      ]),
    .target(
      name: "CExtensionShims", path: "Sources/GuestHook/ExtensionShims", cSettings: strictC),
    .target(
      name: "WiredTigerExtension",
      dependencies: ["Checksum", "HookLink", "LeafManifest", "CExtensionShims"],
      path: "Sources/GuestHook/Extension", swiftSettings: strict),
    // Apart, because its linker settings reach every product that it is linked into, tests too.
    .target(
      name: "WiredTigerExtensionEntry", dependencies: ["WiredTigerExtension"],
      path: "Sources/GuestHook/ExtensionEntry",
      swiftSettings: strict, linkerSettings: selfContained),

    .target(name: "StreamSamples", path: "Tests/StreamSamples", swiftSettings: strict),
    .testTarget(
      name: "PageFilterTests", dependencies: ["PageFilter", "StreamSamples", "Threads"],
      swiftSettings: strict),
    .testTarget(
      name: "HookLinkTests", dependencies: ["HookLink", "Checksum"], swiftSettings: strict),
    .testTarget(
      name: "StreamProxyTests",
      dependencies: [
        "StreamProxy", "PageFilter", "HookLink", "Checksum", "Threads", "StreamSamples",
        "leafcutter",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "InMemoryLogging", package: "swift-log"),
      ],
      swiftSettings: strict),
    // The program the extension's tests load it into, as a database would.
    .executableTarget(
      name: "ExtensionTestDatabase", path: "Tests/ExtensionTestDatabase", cSettings: strictC,
      linkerSettings: [
        .linkedLibrary("wiredtiger"),
        // WiredTiger finds extensions in the program itself.
        .unsafeFlags(["-Xlinker", "--export-dynamic"]),
      ]),
    .testTarget(
      name: "ExtensionTests",
      dependencies: [
        "HookLink", "LeafManifest", "WiredTigerExtension", "ExtensionTestDatabase", "Guardian",
        "CGuestSystem", "leafcutter-guest",
      ],
      swiftSettings: strict),
    // Two QEMUs and a guest that reports; the tests' and the matrix's.
    .target(
      name: "MigrationLab",
      dependencies: [
        "StreamProxy", "HookLink", "Threads", .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/MigrationLab", swiftSettings: strict),
    .testTarget(
      name: "MigrationTests",
      dependencies: [
        "MigrationLab", "StreamProxy", "HookLink", "Threads", "leafcutter",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "leafcutter-matrix",
      dependencies: [
        "MigrationLab", "StreamProxy", "Threads",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/Matrix", swiftSettings: strict),
    .testTarget(
      name: "GuestHookTests",
      dependencies: [
        "Guardian", "LeafManifest", "HookLink", "Checksum", "Threads", "CGuestSystem",
        "leafcutter-guest", "StreamProxy",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "InMemoryLogging", package: "swift-log"),
      ],
      swiftSettings: strict),
  ]
)
