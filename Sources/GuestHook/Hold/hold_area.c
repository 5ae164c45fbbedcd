/* The hold area: reserving it and giving it back. */
#include "hold_area.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "leafcutter_hold.h"

#define RELEASED_AT_ONCE (16ul << 20)

struct hold_state hold = {.uffd = -1, .pagemap = -1};

uint64_t hold_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

bool hold_window_is_open(void) {
  atomic_int *gate = atomic_load_explicit(&hold.gate, memory_order_acquire);
  /* In one order with `catching`, or leafcutter_hold_close could miss a thread that still finds it open. */
  return gate && atomic_load(gate);
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

void hold_close(atomic_int *descriptor) {
  int number = atomic_exchange(descriptor, -1);
  if (number >= 0) syscall(SYS_close, number);
}

void hold_drop(uintptr_t start, size_t length) {
  /* Refused where a program has locked all of its memory. */
  if (syscall(SYS_madvise, start, length, MADV_DONTNEED) == 0 || errno != EINVAL) return;
  syscall(SYS_munlock, start, length);
  syscall(SYS_madvise, start, length, MADV_DONTNEED);
}

/* ---- the interface ---- */

int leafcutter_hold_abi(void) { return LEAFCUTTER_HOLD_ABI; }

/* A negative errno where there is no UFFDIO_MOVE (ENOSYS), or it is not allowed. */
static int open_userfaultfd(void) {
  int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (uffd < 0) return -errno;
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MOVE};
  if (syscall(SYS_ioctl, uffd, UFFDIO_API, &api) == 0) return uffd;
  int reason = errno == EINVAL ? ENOSYS : errno;
  syscall(SYS_close, uffd);
  return -reason;
}

int leafcutter_hold_check_move(void) {
  int uffd = open_userfaultfd();
  if (uffd < 0) return -uffd;
  syscall(SYS_close, uffd);
  return 0;
}

static int open_pagemap(void) {
  int pagemap = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  return pagemap < 0 ? -errno : pagemap;
}

/* Whether one page can be moved by its page tables. */
static int check_remap(void) {
  char *pages = (char *)syscall(SYS_mmap, NULL, 2 * HOLD_PAGE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, (off_t)0);
  if (pages == MAP_FAILED) return errno;
  long moved = syscall(SYS_mremap, pages, HOLD_PAGE, HOLD_PAGE,
                       MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, pages + HOLD_PAGE);
  int reason = moved < 0 ? errno : 0;
  syscall(SYS_munmap, pages, 2 * HOLD_PAGE);
  return reason;
}

int leafcutter_hold_check(const char **what) {
  *what = "mremap with MREMAP_DONTUNMAP (Linux 5.7)";
  int failed = check_remap();
  if (failed) return failed;
  *what = "/proc/self/pagemap";
  int pagemap = open_pagemap();
  if (pagemap < 0) return -pagemap;
  struct page_region runs[1];
  uintptr_t from = (uintptr_t)&runs & ~(HOLD_PAGE - 1);
  int found = hold_scan(pagemap, &from, from + HOLD_PAGE, runs, 1);
  syscall(SYS_close, pagemap);
  if (found < 0) return -found;
  *what = "io_uring with a sparse table of buffers (Linux 5.19)";
  failed = hold_check_ring();
  if (!failed) *what = "";
  return failed;
}

/* The mappings that the process has; a negative number where that is not told. */
static long count_mappings(void) {
  int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  char text[4096];
  long lines = 0, length;
  while ((length = syscall(SYS_read, file, text, sizeof text)) > 0)
    for (long i = 0; i < length; i++) lines += text[i] == '\n';
  syscall(SYS_close, file);
  return length < 0 ? -1 : lines;
}

/* Half of what the process may still have, so that the program keeps the other half. */
static long mapping_budget(void) {
  char text[32] = "";
  int file = (int)syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    if (syscall(SYS_read, file, text, sizeof text - 1) < 0) text[0] = 0;
    syscall(SYS_close, file);
  }
  long limit = strtol(text, NULL, 10), taken = count_mappings();
  return taken < 0 || taken > limit ? 0 : (limit - taken) / 2;
}

/* Whoever has opened it, of all databases in this process. */
static atomic_flag is_owned = ATOMIC_FLAG_INIT;

/* What remained would keep the frames from being freed when this process is killed. Of the hold's memory the child has
 * none (MADV_DONTFORK) but what another thread was moving at that moment, and its window is closed
 * (MADV_WIPEONFORK). System calls only: it may be any thread's child, in the middle of anything. */
static void forget_in_child(void) {
  hold_forget_pins();
  hold_forget_mark();
  hold_close(&hold.uffd);
  hold_close(&hold.pagemap);
  hold.reservation = NULL;
  atomic_store(&hold.used, 0);
  atomic_store(&hold.catching, 0);
  atomic_flag_clear(&is_owned);
}

/* What pthread_atfork(3) calls; that itself needs an object that this library is not linked with
 * (crtbegin.o's __dso_handle). */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                             void *library);

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
  /* Once: the gate stays. */
  int failed = __register_atfork(NULL, NULL, forget_in_child, NULL);
  if (failed) {
    syscall(SYS_munmap, page, HOLD_PAGE);
    return failed;
  }
  atomic_store(&hold.gate, (atomic_int *)page);
  return 0;
}

static int open_area(size_t capacity, size_t most, size_t filling);

int leafcutter_hold_open(size_t capacity, size_t most, size_t filling) {
  if (atomic_flag_test_and_set(&is_owned)) return EBUSY;
  int failed = open_area(capacity, most, filling);
  if (failed) atomic_flag_clear(&is_owned);
  return failed;
}

static int open_area(size_t capacity, size_t most, size_t filling) {
  int failed = make_gate();
  if (failed) return failed;
  capacity = (capacity + HOLD_HUGE_PAGE - 1) & ~(HOLD_HUGE_PAGE - 1);
  size_t reserved = capacity + HOLD_HUGE_PAGE;
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
  uintptr_t area = ((uintptr_t)reservation + HOLD_HUGE_PAGE - 1) & ~(HOLD_HUGE_PAGE - 1);
  /* Without it only what mremap can move is held. */
  int uffd = open_userfaultfd();
  int pagemap = open_pagemap();
  failed = pagemap < 0 ? -pagemap : 0;
  struct uffdio_register range = {.range = {area, capacity}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  /* Nobody reads a core dump for what is held. */
  syscall(SYS_madvise, reservation, reserved, MADV_DONTDUMP);
  /* A fork would copy pinned pages. */
  if (!failed && (syscall(SYS_madvise, reservation, reserved, MADV_DONTFORK) ||
                  (uffd >= 0 && syscall(SYS_ioctl, uffd, UFFDIO_REGISTER, &range))))
    failed = errno;
  if (failed) {
    if (uffd >= 0) syscall(SYS_close, uffd);
    if (pagemap >= 0) syscall(SYS_close, pagemap);
    syscall(SYS_munmap, reservation, reserved);
    return failed;
  }
  hold.area = area;
  hold.capacity = capacity;
  hold.most = most;
  hold.reservation = reservation;
  hold.reserved = reserved;
  hold.uffd = uffd;
  hold.pagemap = pagemap;
  atomic_store(&hold.mappings_left, mapping_budget());
  atomic_store(&hold.filling_left, filling < LONG_MAX ? (long)filling : LONG_MAX);
  atomic_store(&hold.lost_count, 0);
  atomic_store(&hold.lost_at_most, 0);
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
  /* Nothing more is put there, and where the kernel overcommits nothing it counts as memory. */
  uintptr_t used = (hold.area + atomic_load(&hold.used) + HOLD_PAGE - 1) & ~(HOLD_PAGE - 1);
  uintptr_t end = (uintptr_t)hold.reservation + hold.reserved;
  if (used < end && syscall(SYS_munmap, used, end - used) == 0) hold.reserved -= end - used;
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
  hold_close(&hold.uffd);
  hold_close(&hold.pagemap);
  hold.reservation = NULL;
  atomic_store(&hold.used, 0);
  atomic_flag_clear(&is_owned);
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
