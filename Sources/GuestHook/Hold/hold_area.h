/* The hold area and the window, shared by the files of this library. */
#ifndef LEAFCUTTER_HOLD_AREA_H
#define LEAFCUTTER_HOLD_AREA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel_abi.h"

#define HOLD_HIDDEN __attribute__((visibility("hidden")))
#define HOLD_PAGE 4096ul
#define HOLD_HUGE_PAGE (2ul << 20)
#define HOLD_MAXIMUM_LOST 64

/* What the files of this library share. The area is made by leafcutter_hold_open and unmade by
 * leafcutter_hold_release; what is atomic may be used by any thread in between. */
struct hold_state {
  /* One word on a page of its own that a fork leaves zeroed (MADV_WIPEONFORK). NULL before the first
   * window; the page then stays for the life of the process. */
  _Atomic(atomic_int *) gate;
  atomic_int catching; /* threads inside hold_catch */
  uintptr_t area;
  size_t capacity;
  atomic_size_t used;
  void *reservation;
  size_t reserved;
  atomic_int uffd; /* negative where there is no UFFDIO_MOVE */
  atomic_int pagemap;
  /* How many mappings mremap may still make. */
  atomic_long mappings_left;
  /* How many bytes may be caught, and how many of holes may still be filled. */
  size_t most;
  atomic_long filling_left;
  /* Parts of the reservation that may be somebody else's by now, or still ours: never touched. */
  struct { uintptr_t start, end; } lost[HOLD_MAXIMUM_LOST];
  atomic_int lost_count;
  /* Those, and one for each thread that is moving a mapping: together never more than there is room for. */
  atomic_int lost_at_most;
  atomic_ullong calls, moved, nanoseconds, failures;
  atomic_int last_errno;
};
HOLD_HIDDEN extern struct hold_state hold;

/* True between leafcutter_hold_open and leafcutter_hold_close, in the process that opened it only: a
 * forked child sees false, because its descriptors would still speak of the parent's memory. */
HOLD_HIDDEN bool hold_window_is_open(void);

/* Moves the present anonymous pages of a range that is being given back into the hold area. What
 * cannot be moved stays; the caller gives the range to the kernel in every case. Any thread. */
HOLD_HIDDEN void hold_catch(uintptr_t start, size_t length);

/* Moves the present pages of a range, by which they leave it empty, to a new place in the area: 0 or an
 * errno, ENOSYS where that takes UFFDIO_MOVE and there is none (move.c). Only their owner may use the range,
 * and he is giving it back. */
HOLD_HIDDEN int hold_move(uintptr_t source, size_t length);

/* The same by moving page tables, and whatever lies in between; the place, or 0 where it cannot be done
 * and nothing has been moved (move.c). */
HOLD_HIDDEN uintptr_t hold_remap(uintptr_t source, size_t length);

/* Whether an io_uring with an empty table of buffers is to be had: 0 or an errno, EINVAL where the kernel knows
 * no such table (pin.c). */
HOLD_HIDDEN int hold_check_ring(void);

/* CLOCK_MONOTONIC in nanoseconds. */
HOLD_HIDDEN uint64_t hold_now(void);

/* The next runs of present pages of [*from, end) that are neither of a file nor the zero page; *from
 * moves on. Returns how many runs were written, or a negative errno. */
HOLD_HIDDEN int hold_scan(int pagemap, uintptr_t *from, uintptr_t end, struct page_region *runs,
                          int max);

/* The part of the area that is in use, and the pagemap to scan it with; false without an area. */
HOLD_HIDDEN bool hold_used_area(uintptr_t *start, uintptr_t *end, int *pagemap);

/* The next part of [from, limit) of the area that is certainly this library's; false after the last. */
HOLD_HIDDEN bool hold_next_part(uintptr_t from, uintptr_t limit, uintptr_t *start, uintptr_t *end);

/* Gives the frames of a part of the area back to the kernel. */
HOLD_HIDDEN void hold_drop(uintptr_t start, size_t length);

/* Unpins everything and closes the ring (pin.c). */
HOLD_HIDDEN void hold_unpin_all(void);

/* In a forked child: closes the ring and forgets what it pins (pin.c), and the mark page (mark.c). System calls
 * only. */
HOLD_HIDDEN void hold_forget_pins(void);
HOLD_HIDDEN void hold_forget_mark(void);

/* Closes a descriptor that a forked child would close as well: it is forgotten first, because the number may be
 * another file's in a moment. */
HOLD_HIDDEN void hold_close(atomic_int *descriptor);

/* Adds pieces and pinned bytes to the statistics (pin.c). */
struct leafcutter_hold_stats;
HOLD_HIDDEN void hold_pin_stats(struct leafcutter_hold_stats *out);

#endif
