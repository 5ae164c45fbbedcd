#include "call_counts.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
/* The least memmove that counts: a page is 4096, and messages are smaller. */
#define LEAST_MOVE 256

static struct call_counts nowhere;
static struct call_counts *counts = &nowhere;
static void *(*next_memmove)(void *, const void *, size_t);

static void add(uint64_t *counter, uint64_t amount) {
  __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

__attribute__((constructor)) static void begin(void) {
  next_memmove = (void *(*)(void *, const void *, size_t))dlsym(RTLD_NEXT, "memmove");
  const char *path = getenv(CALL_COUNTS_FILE);
  if (path == NULL) return;
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof nowhere, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (mapped != MAP_FAILED) counts = mapped;
}

/* COUNTED(NAME, PARAMETERS, ARGUMENTS, COPIES) replaces a call that returns a number of bytes. */
#define COUNTED(name, parameters, arguments, copies)                             \
  EXPORTED ssize_t name parameters {                                            \
    static ssize_t(*next) parameters;                                           \
    if (next == NULL) next = (ssize_t(*) parameters)dlsym(RTLD_NEXT, #name);    \
    ssize_t result = next arguments;                                            \
    add(&counts->io_calls, 1);                                                  \
    if ((copies) && result > 0) add(&counts->io_bytes, (uint64_t)result);       \
    return result;                                                              \
  }

COUNTED(read, (int fd, void *to, size_t n), (fd, to, n), 1)
COUNTED(write, (int fd, const void *from, size_t n), (fd, from, n), 1)
COUNTED(readv, (int fd, const struct iovec *to, int n), (fd, to, n), 1)
COUNTED(writev, (int fd, const struct iovec *from, int n), (fd, from, n), 1)
COUNTED(recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags), !(flags & MSG_TRUNC))
COUNTED(recvfrom, (int fd, void *to, size_t n, int flags, struct sockaddr *from, socklen_t *length),
        (fd, to, n, flags, from, length), !(flags & MSG_TRUNC))
COUNTED(recvmsg, (int fd, struct msghdr *to, int flags), (fd, to, flags), !(flags & MSG_TRUNC))
COUNTED(send, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags), 1)
COUNTED(sendto,
        (int fd, const void *from, size_t n, int flags, const struct sockaddr *to, socklen_t length),
        (fd, from, n, flags, to, length), 1)
COUNTED(sendmsg, (int fd, const struct msghdr *from, int flags), (fd, from, flags), 1)
COUNTED(splice, (int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags),
        (in, in_at, out, out_at, n, flags), 0)
/* What programs call that were built with _FORTIFY_SOURCE. */
COUNTED(__read_chk, (int fd, void *to, size_t n, size_t size), (fd, to, n, size), 1)
COUNTED(__recv_chk, (int fd, void *to, size_t n, size_t size, int flags), (fd, to, n, size, flags),
        !(flags & MSG_TRUNC))

/* WAITS(NAME, PARAMETERS, ARGUMENTS) replaces one that waits. */
#define WAITS(name, parameters, arguments)                                      \
  EXPORTED int name parameters {                                                \
    static int(*next) parameters;                                               \
    if (next == NULL) next = (int(*) parameters)dlsym(RTLD_NEXT, #name);        \
    add(&counts->io_calls, 1);                                                  \
    return next arguments;                                                      \
  }

WAITS(poll, (struct pollfd *items, nfds_t n, int timeout), (items, n, timeout))
WAITS(__poll_chk, (struct pollfd *items, nfds_t n, int timeout, size_t size),
      (items, n, timeout, size))
WAITS(select, (int n, fd_set *in, fd_set *out, fd_set *other, struct timeval *timeout),
      (n, in, out, other, timeout))
WAITS(epoll_wait, (int epoll, struct epoll_event *events, int n, int timeout),
      (epoll, events, n, timeout))

/* glibc's own names of its allocator: no dlsym(3), which allocates, is needed for them. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

EXPORTED void *malloc(size_t size) {
  add(&counts->allocations, 1);
  return __libc_malloc(size);
}

EXPORTED void *calloc(size_t n, size_t size) {
  add(&counts->allocations, 1);
  return __libc_calloc(n, size);
}

EXPORTED void *realloc(void *old, size_t size) {
  add(&counts->allocations, 1);
  return __libc_realloc(old, size);
}

EXPORTED void *memalign(size_t alignment, size_t size) {
  add(&counts->allocations, 1);
  return __libc_memalign(alignment, size);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

EXPORTED int posix_memalign(void **to, size_t alignment, size_t size) {
  void *memory = memalign(alignment, size);
  if (memory == NULL) return ENOMEM;
  *to = memory;
  return 0;
}

EXPORTED void *memmove(void *to, const void *from, size_t n) {
  if (n >= LEAST_MOVE) add(&counts->moved_bytes, n);
  if (next_memmove != NULL) return next_memmove(to, from, n);
  /* Before the constructor. */
  char *target = to;
  const char *origin = from;
  if (target < origin) {
    for (size_t i = 0; i < n; i++) target[i] = origin[i];
  } else {
    for (size_t i = n; i > 0; i--) target[i - 1] = origin[i - 1];
  }
  return to;
}

EXPORTED void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  return memmove(to, from, n);
}
