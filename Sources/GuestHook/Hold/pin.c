/* Pinning: one io_uring whose registered buffers are pieces of the hold area. The frames stay
 * allocated, and in their place, as long as any process has the ring open. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hold_area.h"
#include "leafcutter_hold.h"

/* As many as one message to the guardian names (LocalMessage.HeldMemory). */
#define MAXIMUM_PIECES 8000
#define RUNS_PER_SCAN 64
/* Nothing shorter is moved by mremap, which is what brings memory that cannot be pinned. */
#define LEAST_SPLIT (16ul << 10)

static struct {
  atomic_int ring;
  int count; /* slots in use, released ones included */
  struct leafcutter_hold_piece pieces[MAXIMUM_PIECES];
  uintptr_t pinned_to; /* everything of the area below is pinned or was empty */
  uint64_t deadline;   /* of this call of leafcutter_hold_pin, on the monotonic clock */
} pins = {.ring = -1};

/* A table of empty slots (Linux 5.19), so that pieces can come and go one by one. */
static int register_slots(int ring, unsigned count) {
  struct io_uring_rsrc_register table = {.nr = count, .flags = IORING_RSRC_REGISTER_SPARSE};
  return syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS2, &table, sizeof table) ? errno : 0;
}

int hold_check_ring(void) {
  struct io_uring_params params = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
  if (ring < 0) return errno;
  int failed = register_slots(ring, 1);
  syscall(SYS_close, ring);
  return failed;
}

static int open_ring(void) {
  struct io_uring_params params = {0};
  int ring = (int)syscall(SYS_io_uring_setup, 1, &params);
  if (ring < 0) return errno;
  /* At once: whoever forks from now on has a child that closes it. */
  pins.ring = ring;
  fcntl(ring, F_SETFD, FD_CLOEXEC);
  int failed = register_slots(ring, MAXIMUM_PIECES);
  if (failed) hold_close(&pins.ring);
  return failed;
}

static int set_slot(int slot, void *address, size_t length) {
  struct iovec buffer = {address, length};
  struct io_uring_rsrc_update2 update = {
      .offset = (uint32_t)slot, .data = (uintptr_t)&buffer, .nr = 1};
  long done =
      syscall(SYS_io_uring_register, pins.ring, IORING_REGISTER_BUFFERS_UPDATE, &update,
              sizeof update);
  return done == 1 ? 0 : done < 0 ? errno : EIO;
}

/* Such memory is never pinned: what mremap has brought keeps the protection and the file that it had. Any
 * other reason is a limit, which the rest would meet as well. */
static bool is_refused(int reason) {
  return reason == EFAULT || reason == EOPNOTSUPP || reason == EINVAL;
}

/* Pins a piece. Of one that has such memory in it everything else is pinned, in halves of halves, and that
 * memory goes back to the kernel. */
static int pin_piece(uintptr_t start, size_t length) {
  if (pins.count == MAXIMUM_PIECES) return ENOSPC;
  int failed = set_slot(pins.count, (void *)start, length);
  if (!failed) {
    pins.pieces[pins.count++] = (struct leafcutter_hold_piece){start, length};
  } else if (!is_refused(failed)) {
    return failed;
  } else if (length > LEAST_SPLIT) {
    size_t half = length / 2 & ~(HOLD_PAGE - 1);
    failed = pin_piece(start, half);
    return failed ? failed : pin_piece(start + half, length - half);
  } else {
    hold_drop(start, length);
    atomic_fetch_add(&hold.failures, 1);
    atomic_store(&hold.last_errno, failed);
  }
  pins.pinned_to = start + length;
  return 0;
}

static int pin_run(uintptr_t start, uintptr_t end, size_t piece_bytes) {
  while (start < end) {
    if (hold_now() > pins.deadline) return ETIME;
    size_t length = end - start < piece_bytes ? end - start : piece_bytes;
    int failed = pin_piece(start, length);
    if (failed) return failed;
    start += length;
  }
  return 0;
}

/* Only what is present: pinning a hole would raise a fault that nobody answers. Neighbouring runs are
 * pinned together, across the borders of the scans. */
static int pin_part(uintptr_t from, uintptr_t end, int pagemap, size_t piece_bytes) {
  struct page_region runs[RUNS_PER_SCAN];
  uintptr_t run_start = 0, run_end = 0;
  while (from < end) {
    int count = hold_scan(pagemap, &from, end, runs, RUNS_PER_SCAN);
    if (count < 0) return -count;
    for (int i = 0; i < count; i++) {
      if (runs[i].start == run_end) {
        run_end = (uintptr_t)runs[i].end;
        continue;
      }
      int failed = pin_run(run_start, run_end, piece_bytes);
      if (failed) return failed;
      run_start = (uintptr_t)runs[i].start;
      run_end = (uintptr_t)runs[i].end;
    }
  }
  return pin_run(run_start, run_end, piece_bytes);
}

/* What could not be pinned is not held: it goes back to the kernel, and what is pinned stays. */
static void drop_unpinned(uintptr_t end) {
  uintptr_t part, part_end;
  for (uintptr_t at = pins.pinned_to; hold_next_part(at, end, &part, &part_end); at = part_end)
    hold_drop(part, part_end - part);
  pins.pinned_to = end;
}

int leafcutter_hold_pin(size_t piece_bytes, uint64_t longest) {
  uintptr_t start, end;
  int pagemap;
  if (!hold_used_area(&start, &end, &pagemap)) return EINVAL;
  piece_bytes &= ~(HOLD_PAGE - 1);
  if (piece_bytes == 0) return EINVAL;
  if (pins.ring < 0) {
    int failed = open_ring();
    if (failed) return failed;
    pins.pinned_to = start;
  }
  pins.deadline = hold_now() + longest;
  uintptr_t part, part_end;
  for (uintptr_t at = pins.pinned_to; hold_next_part(at, end, &part, &part_end); at = part_end) {
    /* What mremap has brought has the flags of where it came from; hold_remap has mostly set the first already. */
    syscall(SYS_madvise, part, part_end - part, MADV_DONTFORK);
    syscall(SYS_madvise, part, part_end - part, MADV_DONTDUMP);
    int failed = pin_part(part, part_end, pagemap, piece_bytes);
    if (failed) {
      drop_unpinned(end);
      return failed;
    }
  }
  return 0;
}

size_t leafcutter_hold_pieces(struct leafcutter_hold_piece *out, size_t max) {
  size_t count = 0;
  for (int slot = 0; slot < pins.count; slot++) {
    if (pins.pieces[slot].length == 0) continue;
    if (count < max) out[count] = pins.pieces[slot];
    count++;
  }
  return count;
}

int leafcutter_hold_ring(void) { return pins.count > 0 ? pins.ring : -1; }

int leafcutter_hold_release_piece(uint64_t address) {
  for (int slot = 0; slot < pins.count; slot++) {
    struct leafcutter_hold_piece *piece = &pins.pieces[slot];
    if (piece->address != address || piece->length == 0) continue;
    int failed = set_slot(slot, NULL, 0);
    if (failed) return failed;
    hold_drop((uintptr_t)piece->address, (size_t)piece->length);
    piece->length = 0;
    return 0;
  }
  return EINVAL;
}

void hold_unpin_all(void) {
  if (pins.ring < 0) return;
  /* Not left to close: the guardian's duplicate would keep the pins. */
  syscall(SYS_io_uring_register, pins.ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
  hold_forget_pins();
}

void hold_forget_pins(void) {
  hold_close(&pins.ring);
  pins.count = 0;
}

void hold_pin_stats(struct leafcutter_hold_stats *out) {
  out->pieces = 0;
  out->pinned_bytes = 0;
  for (int slot = 0; slot < pins.count; slot++) {
    if (pins.pieces[slot].length == 0) continue;
    out->pieces++;
    out->pinned_bytes += pins.pieces[slot].length;
  }
}
