import Glibc

/// A socket address as the kernel takes it.
struct ResolvedAddress {
  var family: Int32
  /// The bytes of a `sockaddr_in`, `sockaddr_in6` or `sockaddr_un`.
  var bytes: [UInt8]

  /// Every address a text stands for, in the resolver's order.
  static func resolve(
    _ address: SocketAddress, toListen: Bool, action: String
  ) throws(SystemError) -> [ResolvedAddress] {
    switch address {
    case .unix(let path): [try unix(path, action: action)]
    case .tcp(let host, let port):
      try tcp(host: host, port: port, toListen: toListen, action: action)
    }
  }

  private static func unix(
    _ path: String, action: String
  ) throws(SystemError) -> ResolvedAddress {
    guard path.utf8.count < SocketAddress.maximumPathLength else {
      throw SystemError(action, code: ENAMETOOLONG)
    }
    var bytes = [UInt8](repeating: 0, count: MemoryLayout<sockaddr_un>.size)
    // sun_family is a 16-bit word in host order at the front, sun_path follows (unix(7)); the zero
    // after the path is there because its length is limited.
    bytes[0] = UInt8(AF_UNIX)
    for (index, byte) in path.utf8.enumerated() { bytes[2 + index] = byte }
    return ResolvedAddress(family: AF_UNIX, bytes: bytes)
  }

  private static func tcp(
    host: String, port: String, toListen: Bool, action: String
  ) throws(SystemError) -> [ResolvedAddress] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_UNSPEC
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    // To connect, every address is tried; a listener is bound to the first, which is to be of a family in use.
    let inUse = toListen ? AI_ADDRCONFIG : 0
    unsafe hints.ai_flags = AI_NUMERICSERV | (toListen ? AI_PASSIVE : 0) | inUse
    var list: UnsafeMutablePointer<addrinfo>? = nil
    // An empty host means every address (to listen) or this host (to connect), as for QEMU.
    var status = unsafe getaddrinfo(host.isEmpty ? nil : host, port, &hints, &list)
    if status != 0, inUse != 0 {
      // Loopback does not count as use (getaddrinfo(3)), so the other family's is not found then.
      unsafe hints.ai_flags &= ~inUse
      status = unsafe getaddrinfo(host.isEmpty ? nil : host, port, &hints, &list)
    }
    guard status == 0 else { throw SystemError(action, resolver: status) }
    defer { unsafe freeaddrinfo(list) }
    var addresses: [ResolvedAddress] = []
    // The list is the resolver's and lives until freeaddrinfo above; each address is copied.
    var entry = unsafe list
    while let current = unsafe entry {
      if let pointer = unsafe current.pointee.ai_addr {
        let raw = unsafe UnsafeRawBufferPointer(
          start: pointer, count: Int(current.pointee.ai_addrlen))
        addresses.append(
          ResolvedAddress(family: unsafe current.pointee.ai_family, bytes: unsafe Array(raw)))
      }
      unsafe entry = current.pointee.ai_next
    }
    return addresses
  }

  func makeSocket(action: String, blocks: Bool = true) throws(SystemError) -> Int32 {
    var type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue
    if !blocks { type |= SOCK_NONBLOCK.rawValue }
    let descriptor = socket(family, Int32(type), 0)
    guard descriptor >= 0 else { throw SystemError(action) }
    return descriptor
  }

  func bind(_ descriptor: Int32) -> Bool { unsafe call(Glibc.bind, descriptor) }

  func connect(_ descriptor: Int32) -> Bool { unsafe call(Glibc.connect, descriptor) }

  private func call(
    _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ descriptor: Int32
  ) -> Bool {
    // The kernel reads the bytes during the call; they hold a whole socket address.
    unsafe bytes.withUnsafeBytes { raw in
      unsafe function(
        descriptor, raw.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
        == 0
    }
  }
}
