/// Where the guardian's end of the hook link is.
public enum PortAddress: Equatable, Sendable {
  /// A virtio-serial port, by the name that the host gave it.
  case named(String)
  /// A character device.
  case device(String)
  /// A unix socket that somebody listens on; for tests.
  case unix(String)

  public static let defaultName = "org.leafcutter.hook.0"

  public init?(_ text: String) {
    if text.hasPrefix("unix:") {
      self = .unix(String(text.dropFirst(5)))
    } else if text.hasPrefix("/") {
      self = .device(text)
    } else if !text.isEmpty, !text.contains("/") {
      self = .named(text)
    } else {
      return nil
    }
  }

  /// The device of a port that is known by its name: sysfs tells, no udev is needed.
  static func device(ofPortNamed wanted: String) -> String? {
    let directory = "/sys/class/virtio-ports"
    for device in SmallFile.names(in: directory) {
      let name = SmallFile.read("\(directory)/\(device)/name")
      if name?.split(whereSeparator: \.isNewline).first.map(String.init) == wanted {
        return "/dev/\(device)"
      }
    }
    return nil
  }
}

extension PortAddress: CustomStringConvertible {
  public var description: String {
    switch self {
    case .named(let name): name
    case .device(let path): path
    case .unix(let path): "unix:\(path)"
    }
  }
}
