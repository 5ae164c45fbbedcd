/* The functions by which memory goes back to the kernel. They run in any thread, inside allocators and before
 * constructors, so they call the kernel and nothing else. */
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

int munmap(void *address, size_t length) {
  if (hold_window_is_open() && is_range(address, length)) hold_catch((uintptr_t)address, length);
  return (int)syscall(SYS_munmap, address, length);
}
