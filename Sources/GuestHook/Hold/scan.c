/* Which pages of a range are there. */
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold_area.h"

/* One word for a page of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst). The zero page
 * cannot be told from others there; pinning replaces it. */
#define ENTRY_PRESENT (1ull << 63)
#define ENTRY_FILE_OR_SHARED (1ull << 61)
#define ENTRIES_PER_READ 128

/* For kernels before 6.7, which have no PAGEMAP_SCAN. */
static int read_runs(int pagemap, uintptr_t *from, uintptr_t end, struct page_region *runs, int max) {
  uint64_t entries[ENTRIES_PER_READ];
  size_t pages = (end - *from) / HOLD_PAGE;
  if (pages > ENTRIES_PER_READ) pages = ENTRIES_PER_READ;
  /* Not pread, which this library stands in for. */
  long bytes = syscall(SYS_pread64, pagemap, entries, pages * sizeof entries[0],
                       (off_t)(*from / HOLD_PAGE * sizeof entries[0]));
  if (bytes <= 0) return bytes < 0 ? -errno : -ESRCH;
  int count = 0;
  uintptr_t at = *from;
  for (long i = 0; i < bytes / (long)sizeof entries[0]; i++, at += HOLD_PAGE) {
    if (!(entries[i] & ENTRY_PRESENT) || entries[i] & ENTRY_FILE_OR_SHARED) continue;
    if (count > 0 && runs[count - 1].end == at) {
      runs[count - 1].end += HOLD_PAGE;
      continue;
    }
    if (count == max) break;
    runs[count++] = (struct page_region){.start = at, .end = at + HOLD_PAGE};
  }
  *from = at;
  return count;
}

int hold_scan(int pagemap, uintptr_t *from, uintptr_t end, struct page_region *runs, int max) {
  static atomic_bool has_no_scan;
  if (atomic_load_explicit(&has_no_scan, memory_order_relaxed))
    return read_runs(pagemap, from, end, runs, max);
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
  if (found < 0 && errno == ENOTTY) {
    atomic_store_explicit(&has_no_scan, true, memory_order_relaxed);
    return read_runs(pagemap, from, end, runs, max);
  }
  if (found < 0) return -errno;
  *from = scan.walk_end > *from ? (uintptr_t)scan.walk_end : end;
  return (int)found;
}
