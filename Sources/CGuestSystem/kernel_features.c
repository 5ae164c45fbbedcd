/* Whether the kernel offers what the hold library (Sources/GuestHook/Hold) stands on; the same questions
 * as leafcutter_hold_check asks inside a database. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../GuestHook/Hold/kernel_abi.h"
#include "guest_system.h"

#define PAGE 4096ul

int leafcutter_guest_check_move(void) {
  int file = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (file < 0) return errno;
  struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MOVE};
  int reason = ioctl(file, UFFDIO_API, &api) ? errno : 0;
  close(file);
  return reason == EINVAL ? ENOSYS : reason;
}

int leafcutter_guest_check_scan(void) {
  int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (file < 0) return errno;
  struct page_region run;
  uint64_t start = (uintptr_t)&run & ~(PAGE - 1);
  struct pm_scan_arg scan = {
      .size = sizeof scan,
      .start = start,
      .end = start + PAGE,
      .vec = (uintptr_t)&run,
      .vec_len = 1,
      .category_mask = PAGE_IS_PRESENT,
      .return_mask = PAGE_IS_PRESENT,
  };
  int reason = ioctl(file, PAGEMAP_SCAN, &scan) < 0 ? errno : 0;
  close(file);
  return reason == ENOTTY ? ENOSYS : reason;
}

int leafcutter_guest_check_ring(void) {
  struct io_uring_params params = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
  if (ring < 0) return errno;
  /* An empty table of buffers. */
  struct io_uring_rsrc_register table = {.nr = 1, .flags = IORING_RSRC_REGISTER_SPARSE};
  int reason = syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS2, &table, sizeof table) ? errno : 0;
  close(ring);
  return reason == EINVAL ? ENOSYS : reason;
}
