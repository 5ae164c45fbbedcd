/* The hold area: reserving it, moving dead pages into it, giving it back. */
#include "hold_area.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "leafcutter_hold.h"

#define HUGE_PAGE (2ul << 20)
#define RUNS_PER_SCAN 32
#define RELEASED_AT_ONCE (16ul << 20)
#define LEAST_REMAPPED (16ul << 10)
#define MAXIMUM_LOST 64
/* UFFDIO_MOVE says EAGAIN when somebody else changes the address space; it gets through in the end. */
#define MOVE_ATTEMPTS 1000

static struct {
  /* One word on a page of its own that a fork leaves zeroed (MADV_WIPEONFORK). NULL before the first
   * window; the page then stays for the life of the process. */
  _Atomic(atomic_int *) gate;
  atomic_int catching; /* threads inside hold_catch */
  uintptr_t area;
  size_t capacity;
  atomic_size_t used;
  void *reservation;
  size_t reserved;
  int uffd;
  int pagemap;
  /* How many mappings mremap may still make. */
  atomic_long mappings_left;
  /* Parts of the reservation that may be somebody else's by now, or still ours: never touched. */
  struct { uintptr_t start, end; } lost[MAXIMUM_LOST];
  atomic_int lost_count;
  atomic_ullong calls, moved, nanoseconds, failures;
  atomic_int last_errno;
} hold = {.uffd = -1, .pagemap = -1};

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

bool hold_window_is_open(void) {
  atomic_int *gate = atomic_load_explicit(&hold.gate, memory_order_acquire);
  return gate && atomic_load_explicit(gate, memory_order_acquire);
}

int hold_scan(int pagemap, uintptr_t *from, uintptr_t end, struct page_region *runs, int max) {
  struct pm_scan_arg scan = {
      .size = sizeof scan,
      .start = *from,
      .end = end,
      .vec = (uintptr_t)runs,
      .vec_len = (uint64_t)max,
      .category_inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO,
      .category_mask = PAGE_IS_PRESENT | PAGE_IS_FILE | PAGE_IS_PFNZERO,
      .return_mask = PAGE_IS_PRESENT,
  };
  long found = syscall(SYS_ioctl, pagemap, PAGEMAP_SCAN, &scan);
  if (found < 0) return -errno;
  *from = scan.walk_end > *from ? (uintptr_t)scan.walk_end : end;
  return (int)found;
}

/* A place for `length` bytes. Where whole huge pages may be moved, source and destination must lie
 * alike within a huge page, or the kernel splits them. */
static uintptr_t reserve(uintptr_t source, size_t length) {
  size_t before = atomic_load_explicit(&hold.used, memory_order_relaxed);
  size_t start;
  do {
    start = before;
    if (length >= HUGE_PAGE) {
      start = (before & ~(HUGE_PAGE - 1)) + (source & (HUGE_PAGE - 1));
      if (start < before) start += HUGE_PAGE;
    }
    if (start + length > hold.capacity) return 0;
  } while (!atomic_compare_exchange_weak(&hold.used, &before, start + length));
  return hold.area + start;
}

/* mremap has failed, and may have unmapped its destination before: takes the place again. Where that
 * cannot be told, it is given up. */
static void recover(uintptr_t destination, size_t length) {
  atomic_store(&hold.mappings_left, 0);
  long again = syscall(SYS_mmap, destination, length, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                       (off_t)0);
  if (again == (long)destination) return;
  int index = atomic_fetch_add(&hold.lost_count, 1);
  hold.lost[index].start = destination;
  hold.lost[index].end = destination + length;
}

/* Moves a long run by moving its page tables, which flushes the TLBs of the process's processors once,
 * where UFFDIO_MOVE flushes them for every page. Each run costs a mapping, and their number is limited
 * (vm.max_map_count), so there is a budget, and short runs are left to UFFDIO_MOVE. */
static bool remap(uintptr_t source, size_t length) {
  /* As many threads as may be in here at once still find a place in `lost`. */
  if (length < LEAST_REMAPPED || atomic_load(&hold.lost_count) >= MAXIMUM_LOST / 2) return false;
  if (atomic_fetch_sub(&hold.mappings_left, 1) <= 0) return false;
  uintptr_t destination = reserve(source, length);
  if (!destination) return false;
  if (syscall(SYS_mremap, source, length, length,
              MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, destination) >= 0) {
    atomic_fetch_add_explicit(&hold.moved, length, memory_order_relaxed);
    return true;
  }
  recover(destination, length);
  return false;
}

static int move(uintptr_t source, size_t length) {
  if (remap(source, length)) return 0;
  uintptr_t destination = reserve(source, length);
  if (!destination) return ENOMEM;
  struct uffdio_move request = {
      .dst = destination, .src = source, .len = length, .mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES};
  for (int attempt = 0; attempt < MOVE_ATTEMPTS; attempt++) {
    request.move = 0;
    int failed = (int)syscall(SYS_ioctl, hold.uffd, UFFDIO_MOVE, &request);
    int reason = errno;
    if (!failed) {
      atomic_fetch_add_explicit(&hold.moved, request.len, memory_order_relaxed);
      return 0;
    }
    if (request.move > 0) {
      uint64_t done = (uint64_t)request.move;
      atomic_fetch_add_explicit(&hold.moved, done, memory_order_relaxed);
      request.dst += done;
      request.src += done;
      request.len -= done;
      if (request.len == 0) return 0;
    } else if (reason != EAGAIN) {
      return reason;
    }
  }
  return EAGAIN;
}

void hold_catch(uintptr_t start, size_t length) {
  int saved = errno;
  atomic_fetch_add(&hold.catching, 1);
  /* Asked again now that leafcutter_hold_close would wait for us. */
  if (hold_window_is_open()) {
    uint64_t began = now_ns();
    uintptr_t from = start & ~(HOLD_PAGE - 1);
    uintptr_t end = (start + length + HOLD_PAGE - 1) & ~(HOLD_PAGE - 1);
    struct page_region runs[RUNS_PER_SCAN];
    atomic_fetch_add_explicit(&hold.calls, 1, memory_order_relaxed);
    while (from < end) {
      int count = hold_scan(hold.pagemap, &from, end, runs, RUNS_PER_SCAN);
      int reason = count < 0 ? -count : 0;
      for (int i = 0; i < count; i++) {
        int failed = move((uintptr_t)runs[i].start, (size_t)(runs[i].end - runs[i].start));
        if (failed) reason = failed;
      }
      if (reason) {
        atomic_fetch_add_explicit(&hold.failures, 1, memory_order_relaxed);
        atomic_store_explicit(&hold.last_errno, reason, memory_order_relaxed);
      }
      if (count < 0) break;
    }
    atomic_fetch_add_explicit(&hold.nanoseconds, now_ns() - began, memory_order_relaxed);
  }
  atomic_fetch_sub(&hold.catching, 1);
  errno = saved;
}

bool hold_used_area(uintptr_t *start, uintptr_t *end, int *pagemap) {
  if (!hold.reservation) return false;
  *start = hold.area;
  *end = hold.area + atomic_load(&hold.used);
  *pagemap = hold.pagemap;
  return true;
}

bool hold_next_part(uintptr_t from, uintptr_t limit, uintptr_t *start, uintptr_t *end) {
  int count = atomic_load(&hold.lost_count);
  for (int i = 0; i < count; i++) {
    if (from >= hold.lost[i].start && from < hold.lost[i].end) {
      from = hold.lost[i].end;
      i = -1;
    }
  }
  if (from >= limit) return false;
  for (int i = 0; i < count; i++)
    if (hold.lost[i].start > from && hold.lost[i].start < limit) limit = hold.lost[i].start;
  *start = from;
  *end = limit;
  return true;
}

void hold_drop(uintptr_t start, size_t length) {
  syscall(SYS_madvise, start, length, MADV_DONTNEED);
}

/* ---- the interface ---- */

int leafcutter_hold_abi(void) { return LEAFCUTTER_HOLD_ABI; }

static int open_userfaultfd(void) {
  int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (uffd < 0) return -errno;
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MOVE};
  if (syscall(SYS_ioctl, uffd, UFFDIO_API, &api)) {
    int reason = errno == EINVAL ? ENOSYS : errno;
    syscall(SYS_close, uffd);
    return -reason;
  }
  return uffd;
}

static int open_pagemap(void) {
  int pagemap = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  return pagemap < 0 ? -errno : pagemap;
}

int leafcutter_hold_check(const char **what) {
  *what = "userfaultfd with UFFDIO_MOVE (Linux 6.8)";
  int uffd = open_userfaultfd();
  if (uffd < 0) return -uffd;
  syscall(SYS_close, uffd);
  *what = "PAGEMAP_SCAN (Linux 6.7)";
  int pagemap = open_pagemap();
  if (pagemap < 0) return -pagemap;
  struct page_region runs[1];
  uintptr_t from = (uintptr_t)&runs & ~(HOLD_PAGE - 1);
  int found = hold_scan(pagemap, &from, from + HOLD_PAGE, runs, 1);
  syscall(SYS_close, pagemap);
  if (found < 0) return found == -ENOTTY ? ENOSYS : -found;
  *what = "io_uring";
  struct io_uring_params params = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
  if (ring < 0) return errno;
  syscall(SYS_close, ring);
  *what = "";
  return 0;
}

/* Half of what a process may have, so that the program keeps the other half. */
static long mapping_budget(void) {
  char text[32] = "";
  int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    if (syscall(SYS_read, file, text, sizeof text - 1) < 0) text[0] = 0;
    syscall(SYS_close, file);
  }
  return strtol(text, NULL, 10) / 2;
}

static int make_gate(void) {
  if (atomic_load(&hold.gate)) return 0;
  void *page = (void *)syscall(SYS_mmap, NULL, HOLD_PAGE, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, (off_t)0);
  if (page == MAP_FAILED) return errno;
  if (syscall(SYS_madvise, page, HOLD_PAGE, MADV_WIPEONFORK)) {
    int reason = errno;
    syscall(SYS_munmap, page, HOLD_PAGE);
    return reason;
  }
  atomic_store(&hold.gate, (atomic_int *)page);
  return 0;
}

int leafcutter_hold_open(size_t capacity) {
  if (hold.reservation) return EBUSY;
  int failed = make_gate();
  if (failed) return failed;
  capacity = (capacity + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
  size_t reserved = capacity + HUGE_PAGE;
  /* Not accessible until it is unlocked: under mlockall it would be filled with pages at once. */
  void *reservation = (void *)syscall(SYS_mmap, NULL, reserved, PROT_NONE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                                      (off_t)0);
  if (reservation == MAP_FAILED) return errno;
  syscall(SYS_munlock, reservation, reserved);
  if (syscall(SYS_mprotect, reservation, reserved, PROT_READ | PROT_WRITE)) {
    failed = errno;
    syscall(SYS_munmap, reservation, reserved);
    return failed;
  }
  uintptr_t area = ((uintptr_t)reservation + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
  int uffd = open_userfaultfd();
  int pagemap = open_pagemap();
  failed = uffd < 0 ? -uffd : pagemap < 0 ? -pagemap : 0;
  struct uffdio_register range = {.range = {area, capacity}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  /* A fork would copy pinned pages. */
  if (!failed && (syscall(SYS_madvise, reservation, reserved, MADV_DONTFORK) ||
                  syscall(SYS_ioctl, uffd, UFFDIO_REGISTER, &range)))
    failed = errno;
  if (failed) {
    if (uffd >= 0) syscall(SYS_close, uffd);
    if (pagemap >= 0) syscall(SYS_close, pagemap);
    syscall(SYS_munmap, reservation, reserved);
    return failed;
  }
  hold.area = area;
  hold.capacity = capacity;
  hold.reservation = reservation;
  hold.reserved = reserved;
  hold.uffd = uffd;
  hold.pagemap = pagemap;
  atomic_store(&hold.mappings_left, mapping_budget());
  atomic_store(&hold.lost_count, 0);
  atomic_store(&hold.used, 0);
  atomic_store(&hold.calls, 0);
  atomic_store(&hold.moved, 0);
  atomic_store(&hold.nanoseconds, 0);
  atomic_store(&hold.failures, 0);
  atomic_store(&hold.last_errno, 0);
  atomic_store(atomic_load(&hold.gate), 1);
  return 0;
}

int leafcutter_hold_close(void) {
  atomic_int *gate = atomic_load(&hold.gate);
  if (!gate || !atomic_load(gate)) return EINVAL;
  atomic_store(gate, 0);
  while (atomic_load(&hold.catching)) sched_yield();
  return 0;
}

int leafcutter_hold_release(void) {
  if (!hold.reservation) return EINVAL;
  leafcutter_hold_close();
  hold_unpin_all();
  /* In pieces: a single unmapping of it all would keep page faults of other threads waiting. */
  uintptr_t limit = (uintptr_t)hold.reservation + hold.reserved, start, end;
  for (uintptr_t at = (uintptr_t)hold.reservation; hold_next_part(at, limit, &start, &end); at = end) {
    if (end - start > RELEASED_AT_ONCE && start < hold.area + atomic_load(&hold.used))
      end = start + RELEASED_AT_ONCE;
    syscall(SYS_munmap, start, end - start);
  }
  syscall(SYS_close, hold.uffd);
  syscall(SYS_close, hold.pagemap);
  hold.uffd = hold.pagemap = -1;
  hold.reservation = NULL;
  atomic_store(&hold.used, 0);
  return 0;
}

void leafcutter_hold_get_stats(struct leafcutter_hold_stats *out) {
  out->calls = atomic_load(&hold.calls);
  out->moved_bytes = atomic_load(&hold.moved);
  out->move_ns = atomic_load(&hold.nanoseconds);
  out->failures = atomic_load(&hold.failures);
  out->last_errno = atomic_load(&hold.last_errno);
  hold_pin_stats(out);
}
