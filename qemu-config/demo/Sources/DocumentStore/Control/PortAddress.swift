import Glibc

/// Where the control port is.
public enum PortAddress: Equatable, Sendable {
  /// A virtio-serial port by the name that the host gave it.
  case name(String)
  /// A character device.
  case device(String)
  /// A unix socket on which the store **listens**, as QEMU's chardev does; for trials without a guest.
  case unix(String)

  public static let defaultName = "org.leafcutter.demo.0"

  /// A name, a path or `unix:PATH`; nil for what is none of them.
  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      // The longest that sockaddr_un holds with its NUL.
      guard !path.isEmpty, path.utf8.count <= 107 else { return nil }
      self = .unix(path)
    } else if text.hasPrefix("/") {
      self = .device(text)
    } else if !text.isEmpty, !text.contains("/") {
      self = .name(text)
    } else {
      return nil
    }
  }

  /// The device of a virtio-serial port, found by its name in /sys/class/virtio-ports (there is no udev
  /// in a small guest that would make links in /dev/virtio-ports).
  static func device(named name: String) throws(SystemError) -> String {
    let ports = "/sys/class/virtio-ports"
    let action = "find the virtio-serial port '\(name)' in \(ports)"
    guard let directory = unsafe opendir(ports) else { throw SystemError(action) }
    // The directory is open until the function returns, and each entry is good until the next one.
    defer { unsafe closedir(directory) }
    while let entry = unsafe readdir(directory) {
      let port = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !port.hasPrefix("."), firstLine(of: "\(ports)/\(port)/name") == name {
        return "/dev/\(port)"
      }
    }
    throw SystemError(action, code: ENODEV)
  }

  private static func firstLine(of path: String) -> String? {
    // The path is a string, and the buffer is written to for at most its size, during the calls.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return String(decoding: bytes[..<count].prefix { $0 != 0x0a }, as: UTF8.self)
  }
}
