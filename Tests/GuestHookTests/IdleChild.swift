import Glibc
import Testing

/// A child of fork(2) that shares this process's memory, and does nothing.
struct IdleChild {
  private let process: pid_t

  init() throws {
    typealias Fork = @convention(c) () -> pid_t
    // Its own name and type; Swift has no fork(2).
    let symbol = unsafe try #require(dlsym(nil, "fork"))
    let fork = unsafe unsafeBitCast(symbol, to: Fork.self)
    process = fork()
    if process == 0 {
      // Nobody is left to end it where the tests are killed.
      alarm(60)
      while true { pause() }
    }
    try #require(process > 0)
  }

  func end() {
    kill(process, SIGKILL)
    // No status is asked for.
    waitpid(process, nil, 0)
  }
}
