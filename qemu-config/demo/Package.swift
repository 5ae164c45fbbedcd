// swift-tools-version: 6.3
import PackageDescription

// The demo and what the end-to-end tests need of it: a document store on WiredTiger that runs in the
// guest, a laboratory that boots and migrates real guests, and the demo itself.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]
let strictC: [CSetting] = [.define("_GNU_SOURCE"), .treatAllWarnings(as: .error)]

let package = Package(
  name: "leafcutter-demo",
  products: [
    .executable(name: "leafcutter-store", targets: ["leafcutter-store"]),
    .executable(name: "leafcutter-demo", targets: ["leafcutter-demo"]),
    .library(name: "Lab", targets: ["Lab"]),
  ],
  dependencies: [
    .package(name: "leafcutter", path: "../.."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .systemLibrary(name: "CBSON"),
    .target(
      name: "CWiredTigerStore", cSettings: strictC, linkerSettings: [.linkedLibrary("wiredtiger")]),
    .target(name: "CStoreSystem", cSettings: strictC),
    .target(
      name: "DocumentStore", dependencies: ["CBSON", "CStoreSystem", "CWiredTigerStore"],
      swiftSettings: strict),
    .executableTarget(
      name: "leafcutter-store",
      dependencies: [
        "DocumentStore", "CStoreSystem",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/StoreCommand", swiftSettings: strict),
    .testTarget(
      name: "DocumentStoreTests", dependencies: ["DocumentStore"], swiftSettings: strict),

    .target(name: "CLabSystem", cSettings: strictC),
    .target(
      name: "Lab",
      dependencies: [
        "CLabSystem",
        .product(name: "StreamProxy", package: "leafcutter"),
        .product(name: "HookLink", package: "leafcutter"),
        .product(name: "Threads", package: "leafcutter"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "leafcutter-demo",
      dependencies: [
        "Lab",
        .product(name: "StreamProxy", package: "leafcutter"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/Demo", swiftSettings: strict),

    .testTarget(name: "LabTests", dependencies: ["Lab"], swiftSettings: strict),
    .testTarget(name: "DemoTests", dependencies: ["leafcutter-demo"], swiftSettings: strict),
  ]
)
