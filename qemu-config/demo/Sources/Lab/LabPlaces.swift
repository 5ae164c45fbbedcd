import ArgumentParser
import FoundationEssentials

/// Where things are that programs on the laboratory need; the Makefile says it.
public struct LabPlaces: ParsableArguments {
  @Option(help: "Where qemu-config/setup has put its files.")
  public var state: String
  @Option(help: "The directory with the guest's vmlinux and initramfs.img.")
  public var guest: String
  @Option(help: "The program leafcutter.")
  public var proxy: String
  @Option(help: "The program leafcutter-store.")
  public var store: String

  public init() {}

  public func validate() throws {
    for path in [proxy, store, "\(guest)/vmlinux", "\(guest)/initramfs.img"]
    where !FileManager.default.fileExists(atPath: path) {
      throw ValidationError("\(path) is not there; `make build` builds it.")
    }
  }
}
