// swift-tools-version: 6.3
import PackageDescription

// A package of its own: fuzz targets have no main, so an ordinary build of them does not link.
// `Fuzzing/run` builds them as they need to be built.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]

let package = Package(
  name: "fuzzing",
  products: [
    .executable(name: "FuzzPageFilter", targets: ["FuzzPageFilter"]),
    .executable(name: "FuzzMultifd", targets: ["FuzzMultifd"]),
    .executable(name: "FuzzInspect", targets: ["FuzzInspect"]),
    .executable(name: "FuzzHookLink", targets: ["FuzzHookLink"]),
    .executable(name: "make-corpus", targets: ["MakeCorpus"]),
  ],
  dependencies: [.package(name: "leafcutter", path: "..")],
  targets: [
    .executableTarget(
      name: "FuzzPageFilter",
      dependencies: [
        .product(name: "PageFilter", package: "leafcutter"),
        .product(name: "StreamSamples", package: "leafcutter"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "FuzzMultifd",
      dependencies: [.product(name: "PageFilter", package: "leafcutter")],
      swiftSettings: strict),
    .executableTarget(
      name: "FuzzInspect",
      dependencies: [.product(name: "StreamProxy", package: "leafcutter")],
      swiftSettings: strict),
    .executableTarget(
      name: "FuzzHookLink",
      dependencies: [.product(name: "HookLink", package: "leafcutter")],
      swiftSettings: strict),
    .executableTarget(
      name: "MakeCorpus",
      dependencies: [
        .product(name: "StreamSamples", package: "leafcutter"),
        .product(name: "HookLink", package: "leafcutter"),
      ],
      swiftSettings: strict),
  ]
)
