/* Moving frames into the hold area. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold_area.h"

#define LEAST_REMAPPED (16ul << 10)
/* UFFDIO_MOVE says EAGAIN when somebody else changes the address space; it gets through in the end. */
#define MOVE_ATTEMPTS 1000

/* A place for `length` bytes; 0 where there is none, or as much is held as may be. Where whole huge pages may be
 * moved, source and destination must lie alike within a huge page, or the kernel splits them. */
static uintptr_t reserve(uintptr_t source, size_t length) {
  if (atomic_load_explicit(&hold.moved, memory_order_relaxed) + length > hold.most) return 0;
  size_t before = atomic_load_explicit(&hold.used, memory_order_relaxed);
  size_t start;
  do {
    start = before;
    if (length >= HOLD_HUGE_PAGE) {
      start = (before & ~(HOLD_HUGE_PAGE - 1)) + (source & (HOLD_HUGE_PAGE - 1));
      if (start < before) start += HOLD_HUGE_PAGE;
    }
    if (start + length > hold.capacity) return 0;
  } while (!atomic_compare_exchange_weak(&hold.used, &before, start + length));
  return hold.area + start;
}

/* mremap has failed, and may have unmapped its destination before: takes the place again; false where that
 * cannot be told, and the place is given up. */
static bool recover(uintptr_t destination, size_t length) {
  long again = syscall(SYS_mmap, destination, length, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                       (off_t)0);
  if (again == (long)destination) return true;
  int index = atomic_fetch_add(&hold.lost_count, 1);
  hold.lost[index].start = destination;
  hold.lost[index].end = destination + length;
  return false;
}

/* mremap itself, for a thread that has a place in `lost`; false where it gives that up. */
static bool remap(uintptr_t source, size_t length, uintptr_t *destination) {
  *destination = reserve(source, length);
  if (!*destination) return true;
  if (syscall(SYS_mremap, source, length, length,
              MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, *destination) >= 0) {
    /* It has the flags of where it came from, and a child that shares its pages would have the pin take copies of
     * them all. Nothing leads back from here to the program, so a child misses nothing. Where there is no mapping
     * for it, pinning tries it once more. */
    syscall(SYS_madvise, *destination, length, MADV_DONTFORK);
    atomic_fetch_add_explicit(&hold.moved, length, memory_order_relaxed);
    return true;
  }
  /* No mapping more, or no lockable memory: that comes again. Anything else is this range's own, such as
   * several mappings in it (EFAULT) or one that cannot be moved (EINVAL, EPERM). */
  if (errno == ENOMEM || errno == EAGAIN) atomic_store(&hold.mappings_left, 0);
  bool is_ours = recover(*destination, length);
  *destination = 0;
  return is_ours;
}

/* Moves a long range by moving its page tables, which flushes the TLBs of the process's processors once,
 * where UFFDIO_MOVE flushes them for every page. Each range costs a mapping, and their number is limited
 * (vm.max_map_count), so there is a budget, and short ranges are left to UFFDIO_MOVE. Returns the place,
 * or 0. */
uintptr_t hold_remap(uintptr_t source, size_t length) {
  if (length < LEAST_REMAPPED || atomic_load(&hold.mappings_left) <= 0) return 0;
  if (atomic_fetch_add(&hold.lost_at_most, 1) >= HOLD_MAXIMUM_LOST) {
    atomic_fetch_sub(&hold.lost_at_most, 1);
    return 0;
  }
  uintptr_t destination = 0;
  bool is_free = atomic_fetch_sub(&hold.mappings_left, 1) <= 0 || remap(source, length, &destination);
  if (is_free) atomic_fetch_sub(&hold.lost_at_most, 1);
  return destination;
}

int hold_move(uintptr_t source, size_t length) {
  if (hold_remap(source, length)) return 0;
  if (hold.uffd < 0) return ENOSYS;
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
