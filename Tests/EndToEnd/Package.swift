// swift-tools-version: 6.3
import PackageDescription

// Real migrations: QEMU, a guest and a database as the demo has them. A package of its own, because
// it stands on the demo's laboratory, which stands on leafcutter.
let package = Package(
  name: "leafcutter-end-to-end",
  dependencies: [
    .package(name: "leafcutter", path: "../.."),
    .package(name: "leafcutter-demo", path: "../../qemu-config/demo"),
  ],
  targets: [
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        .product(name: "Lab", package: "leafcutter-demo"),
        .product(name: "StreamProxy", package: "leafcutter"),
        .product(name: "HookLink", package: "leafcutter"),
      ],
      path: "EndToEndTests",
      swiftSettings: [.strictMemorySafety(), .treatAllWarnings(as: .error)])
  ]
)
