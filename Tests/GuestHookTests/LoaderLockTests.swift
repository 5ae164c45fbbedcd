import Dispatch
import Glibc
import Testing
import Threads

@testable import Guardian

/// The loader has one lock, which a program may hold while it waits for us: as it does where it closes a
/// database from a library's destructor.
@Suite(.serialized)
struct LoaderLockTests {
  @Test("the allocator is purged while another thread loads a library")
  func purgeWhileLoading() throws {
    let library = try HoldLibraryInProcess()
    let purge = library.purging()
    let path = "\(P_tmpdir)/leafcutter-loading-\(getpid())"
    // The path is alive during the calls.
    #expect(unsafe mkfifo(path, 0o600) == 0)
    defer { unsafe unlink(path) }
    let (start, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    // Started before, because the C library takes that lock for a new thread too.
    let purging = BlockingThread("purging") {
      start.wait()
      purge()
      done.signal()
    }
    // Opening a pipe waits for whoever writes to it, here with the loader's lock.
    let loading = BlockingThread("loading") { _ = unsafe dlopen(path, RTLD_NOW) }
    usleep(300_000)
    start.signal()
    let isDone = done.wait(timeout: .now() + 3) == .success
    // Before anything is said of it, for which names may have to be looked up.
    let writer = unsafe open(path, O_WRONLY)
    close(writer)
    loading.join()
    purging.join()
    #expect(isDone)
  }
}
