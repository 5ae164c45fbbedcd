// swift-tools-version: 6.3
import PackageDescription

// A package of its own: what it measures are programs, and nothing else needs it.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]
let strictC: [CSetting] = [.define("_GNU_SOURCE"), .treatAllWarnings(as: .error)]

let package = Package(
  name: "benchmarks",
  products: [
    .executable(name: "leafcutter-bench", targets: ["RelayBench"]),
    .library(name: "call_counter", type: .dynamic, targets: ["CCallCounter"]),
  ],
  dependencies: [
    .package(name: "leafcutter", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .target(name: "CBenchSystem", cSettings: strictC),
    // Loaded into programs that know nothing of Swift: nothing of its runtime may come along. Without
    // -fno-builtin its memmove would be turned into a call of itself.
    .target(
      name: "CCallCounter",
      cSettings: strictC + [
        .headerSearchPath("../CBenchSystem/include"), .unsafeFlags(["-fno-builtin"]),
      ],
      linkerSettings: [
        .unsafeFlags(["-static-stdlib", "-nostartfiles", "-Xlinker", "--as-needed"])
      ]),
    .executableTarget(
      name: "RelayBench",
      dependencies: [
        "CBenchSystem",
        .product(name: "StreamProxy", package: "leafcutter"),
        .product(name: "HookLink", package: "leafcutter"),
        .product(name: "Threads", package: "leafcutter"),
        .product(name: "StreamSamples", package: "leafcutter"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "RelayBenchTests",
      dependencies: [
        "RelayBench", "CBenchSystem",
        .product(name: "StreamProxy", package: "leafcutter"),
        .product(name: "StreamSamples", package: "leafcutter"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
  ]
)
