/* The function by which allocators give memory back to the kernel. It runs in any thread, inside allocators and
 * before constructors, so it calls the kernel and nothing else.
 *
 * munmap(2) is left alone: those allocators do not use it for what they have given out (jemalloc by its default,
 * opt.retain), and a program may unmap a buffer of its own whose pages the kernel still reads (vmsplice, MSG_ZEROCOPY,
 * registered buffers). What lies in an allocator's free memory may be overwritten at any time, so nobody reads it. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "hold_area.h"
#include "leafcutter_hold.h"

/* What the kernel will refuse must not have moved anything. */
static int is_range(void *address, size_t length) {
  return length > 0 && ((uintptr_t)address & (HOLD_PAGE - 1)) == 0;
}

int madvise(void *address, size_t length, int advice) {
  if ((advice == MADV_DONTNEED || advice == MADV_FREE) && hold_window_is_open() &&
      is_range(address, length))
    hold_catch((uintptr_t)address, length);
  /* In every case: what could not be moved must read as zero all the same. */
  return (int)syscall(SYS_madvise, address, length, advice);
}
