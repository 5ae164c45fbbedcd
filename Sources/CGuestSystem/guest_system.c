#include "guest_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE 4096

int leafcutter_guest_watch_changes(int file) {
  int watch = epoll_create1(EPOLL_CLOEXEC);
  if (watch < 0) return -1;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
  if (epoll_ctl(watch, EPOLL_CTL_ADD, file, &event)) {
    int reason = errno;
    close(watch);
    errno = reason;
    return -1;
  }
  return watch;
}

int leafcutter_guest_take_change(int watch) {
  struct epoll_event event;
  return epoll_wait(watch, &event, 1, 0) > 0;
}

uint64_t leafcutter_guest_monotonic_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int leafcutter_guest_page_memfd(const char *name) {
  int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return -1;
  /* Sealed, because a database that truncated it would make the guardian die of SIGBUS. */
  if (ftruncate(file, PAGE) ||
      fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
    int reason = errno;
    close(file);
    errno = reason;
    return -1;
  }
  return file;
}

int leafcutter_guest_pin(void *address, size_t length) {
  struct io_uring_params params = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
  if (ring < 0) return -1;
  fcntl(ring, F_SETFD, FD_CLOEXEC);
  struct iovec buffer = {address, length};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1)) {
    int reason = errno;
    close(ring);
    errno = reason;
    return -1;
  }
  return ring;
}

void leafcutter_guest_store_word(void *page, size_t offset, uint64_t value) {
  atomic_store((_Atomic uint64_t *)((char *)page + offset), value);
}

uint64_t leafcutter_guest_load_word(const void *page, size_t offset) {
  return atomic_load((const _Atomic uint64_t *)((const char *)page + offset));
}

bool leafcutter_guest_exchange_word(void *page, size_t offset, uint64_t expected, uint64_t wanted) {
  return atomic_compare_exchange_strong((_Atomic uint64_t *)((char *)page + offset), &expected, wanted);
}

void leafcutter_guest_fence(void) { atomic_thread_fence(memory_order_seq_cst); }

int leafcutter_guest_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int leafcutter_guest_take_descriptor(int pidfd, int descriptor) {
  return (int)syscall(SYS_pidfd_getfd, pidfd, descriptor, 0);
}

bool leafcutter_guest_is_ring(int descriptor) {
  static const char name[] = "anon_inode:[io_uring]";
  char path[32], target[sizeof name];
  snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  return readlink(path, target, sizeof target) == sizeof name - 1 &&
         memcmp(target, name, sizeof name - 1) == 0;
}

int leafcutter_guest_unlimit_memlock(pid_t pid) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  return prlimit(pid, RLIMIT_MEMLOCK, &limit, NULL);
}

pid_t leafcutter_guest_spawn(const char *executable, char *const arguments[], int inherited) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pid_t child = fork();
  if (child != 0) {
    int reason = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return child;
  }
  /* In the child of a program with threads: system calls only. */
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (inherited == 3)
    fcntl(3, F_SETFD, 0);
  else
    dup2(inherited, 3);
  syscall(SYS_close_range, 4u, ~0u, 0u);
  execv(executable, arguments);
  _exit(127);
}

int leafcutter_guest_write_back(int file, int64_t offset, int64_t length) {
  return sync_file_range(file, offset, length,
                         SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                             SYNC_FILE_RANGE_WAIT_AFTER);
}

void *leafcutter_guest_populated_memory(size_t length) {
  void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  madvise(memory, length, MADV_HUGEPAGE); /* a wish: fewer faults */
  if (madvise(memory, length, MADV_POPULATE_WRITE)) {
    munmap(memory, length);
    return NULL;
  }
  return memory;
}
