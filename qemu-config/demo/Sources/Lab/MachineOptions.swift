/// What a guest is made of; the same for the source and the destination of a migration.
public struct MachineOptions: Sendable {
  public static let defaultQEMU = "qemu-system-x86_64"
  /// The QEMU program.
  public var qemu = MachineOptions.defaultQEMU
  /// Put in front of all others, e.g. where a QEMU that is not installed finds its files.
  public var qemuOptions: [String] = []
  public var machine = "pc-q35-10.0"
  /// As `-accel` takes it.
  public var accelerator = "tcg,thread=multi"
  public var processors = 1
  /// MiB.
  public var memory = 2048
  /// Whether QEMU takes all memory from the host when it starts; nil where it waits for a migration.
  public var preallocates: Bool?
  /// MiB that a virtio-mem device has plugged in besides, from the beginning.
  public var pluggedMemory = 0
  public var balloon: Balloon?
  public var storage: StorageLimit?
  public var kernel: String
  public var initramfs: String
  public var image: GuestImage
  /// Added to the kernel's command line, e.g. `leafcutter.cache=1024`.
  public var kernelOptions: [String] = []

  public init(kernel: String, initramfs: String, image: GuestImage) {
    self.kernel = kernel
    self.initramfs = initramfs
    self.image = image
  }
}

/// A virtio-balloon device, and what of it is in use.
public enum Balloon: String, Sendable {
  /// What the operator inflates.
  case plain
  /// While a migration runs the guest tells QEMU what is free.
  case freePageHint = "free-page-hint"
  /// The guest always tells QEMU what is free, which gives it back to the host.
  case freePageReporting = "free-page-reporting"

  /// QEMU hints from a thread of its own, which the device has to be given.
  var arguments: [String] {
    switch self {
    case .plain: ["-device", "virtio-balloon-pci,id=balloon0"]
    case .freePageHint:
      [
        "-object", "iothread,id=hints", "-device",
        "virtio-balloon-pci,id=balloon0,free-page-hint=on,iothread=hints",
      ]
    case .freePageReporting: ["-device", "virtio-balloon-pci,id=balloon0,free-page-reporting=on"]
    }
  }
}

/// What the storage gives at most, as QEMU throttles it (docs/throttle.txt).
public struct StorageLimit: Sendable {
  public var operationsPerSecond: Int
  public var bytesPerSecond: Int

  public init(operationsPerSecond: Int, bytesPerSecond: Int) {
    self.operationsPerSecond = operationsPerSecond
    self.bytesPerSecond = bytesPerSecond
  }
}
