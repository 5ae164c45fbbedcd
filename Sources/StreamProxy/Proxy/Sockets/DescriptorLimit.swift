import Glibc

/// How many descriptors this process may have (RLIMIT_NOFILE). A channel takes four: two sockets and a pipe.
public enum DescriptorLimit {
  /// What to do where they ran out.
  static let reached = """
    no file descriptor is left: a channel takes four and the proxy some thirty; raise the hard limit \
    (ulimit -Hn) or have fewer multifd channels
    """

  /// Raises the soft limit to the hard one: the soft one is low for programs that use select(2).
  public static func raise() {
    var limit = rlimit()
    // A local that is filled in by the first call and read by the second.
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
