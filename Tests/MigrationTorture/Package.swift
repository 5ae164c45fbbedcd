// swift-tools-version: 6.3
import PackageDescription

// `make torture`: real guests, migrated again and again, each time with something that goes wrong. A
// package of its own, because it stands on the demo's laboratory, which stands on leafcutter.
let strict: [SwiftSetting] = [.strictMemorySafety(), .treatAllWarnings(as: .error)]

let package = Package(
  name: "leafcutter-torture",
  products: [.executable(name: "leafcutter-torture", targets: ["leafcutter-torture"])],
  dependencies: [
    .package(name: "leafcutter", path: "../.."),
    .package(name: "leafcutter-demo", path: "../../qemu-config/demo"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .executableTarget(
      name: "leafcutter-torture",
      dependencies: [
        .product(name: "Lab", package: "leafcutter-demo"),
        .product(name: "StreamProxy", package: "leafcutter"),
        .product(name: "HookLink", package: "leafcutter"),
        .product(name: "Threads", package: "leafcutter"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Torture", swiftSettings: strict),
    .testTarget(
      name: "TortureTests", dependencies: ["leafcutter-torture"], path: "TortureTests",
      swiftSettings: strict),
  ]
)
