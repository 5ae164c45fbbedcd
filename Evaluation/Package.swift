// swift-tools-version: 6.3
import PackageDescription

// `make evaluation`: real guests, migrated in every way that an operator could choose, and what is drawn
// from it. A package of its own, because it stands on the demo's laboratory.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]

let package = Package(
  name: "leafcutter-evaluation",
  products: [.executable(name: "leafcutter-evaluation", targets: ["leafcutter-evaluation"])],
  dependencies: [
    .package(name: "leafcutter", path: ".."),
    .package(name: "leafcutter-demo", path: "../qemu-config/demo"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .target(
      name: "EvaluationReport",
      dependencies: [.product(name: "Lab", package: "leafcutter-demo")],
      path: "Sources/Report", swiftSettings: strict),
    .executableTarget(
      name: "leafcutter-evaluation",
      dependencies: [
        "EvaluationReport",
        .product(name: "Lab", package: "leafcutter-demo"),
        .product(name: "StreamProxy", package: "leafcutter"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Evaluation", swiftSettings: strict),
    .testTarget(
      name: "EvaluationTests", dependencies: ["EvaluationReport", "leafcutter-evaluation"],
      swiftSettings: strict),
  ]
)
