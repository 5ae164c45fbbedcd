/* What is being given back inside the window: finding its pages and having them moved. */
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold_area.h"

#define RUNS_PER_SCAN 32
/* What separates runs that are moved together: an allocation's last pages that were never touched. */
#define LARGEST_HOLE (32ul << 10)
#define MAXIMUM_HOLES 64
/* Holes are filled, and must not cost more than a small part of what is held. */
#define PRESENT_PER_HOLE 8

/* Runs of present pages with small holes between them, which are moved together. */
struct group {
  uintptr_t start, end;
  size_t present;
  int holes;
  struct { uintptr_t start, end; } hole[MAXIMUM_HOLES];
};

/* Adds a run; false where it is too far away, or too much would have to be filled. */
static bool extend(struct group *group, uintptr_t start, uintptr_t end) {
  size_t hole = start - group->end;
  if (group->holes == MAXIMUM_HOLES || hole > LARGEST_HOLE) return false;
  size_t filled = group->end - group->start - group->present + hole;
  if (filled * PRESENT_PER_HOLE > group->present) return false;
  if (hole > 0) {
    if (atomic_fetch_sub(&hold.filling_left, (long)hole) < (long)hole) return false;
    group->hole[group->holes].start = group->end;
    group->hole[group->holes++].end = start;
  }
  group->end = end;
  group->present += end - start;
  return true;
}

/* Moves a group at once, or its runs one by one. Holes are filled at the new place, so that it can be
 * pinned as one piece; one that is not stays unpinned. */
static int move_group(const struct group *group) {
  if (group->end == group->start) return 0;
  if (group->holes == 0) return hold_move(group->start, group->end - group->start);
  uintptr_t destination = hold_remap(group->start, group->end - group->start);
  int reason = 0;
  uintptr_t from = group->start;
  for (int i = 0; i < group->holes; i++) {
    uintptr_t hole = group->hole[i].start;
    if (destination) {
      syscall(SYS_madvise, destination + (hole - group->start), group->hole[i].end - hole,
              MADV_POPULATE_WRITE);
    } else {
      int failed = hold_move(from, hole - from);
      if (failed) reason = failed;
    }
    from = group->hole[i].end;
  }
  if (destination) return 0;
  int failed = hold_move(from, group->end - from);
  return failed ? failed : reason;
}

static void note_failure(int reason) {
  if (!reason) return;
  atomic_fetch_add_explicit(&hold.failures, 1, memory_order_relaxed);
  atomic_store_explicit(&hold.last_errno, reason, memory_order_relaxed);
}

static void catch_range(uintptr_t from, uintptr_t end) {
  struct page_region runs[RUNS_PER_SCAN];
  struct group group = {0};
  while (from < end) {
    int count = hold_scan(hold.pagemap, &from, end, runs, RUNS_PER_SCAN);
    for (int i = 0; i < count; i++) {
      uintptr_t start = (uintptr_t)runs[i].start, stop = (uintptr_t)runs[i].end;
      if (extend(&group, start, stop)) continue;
      note_failure(move_group(&group));
      group.start = start;
      group.end = stop;
      group.present = stop - start;
      group.holes = 0;
    }
    if (count < 0) {
      note_failure(-count);
      break;
    }
  }
  note_failure(move_group(&group));
}

void hold_catch(uintptr_t start, size_t length) {
  int saved = errno;
  atomic_fetch_add(&hold.catching, 1);
  /* Asked again now that leafcutter_hold_close would wait for us. */
  if (hold_window_is_open()) {
    uint64_t began = hold_now();
    atomic_fetch_add_explicit(&hold.calls, 1, memory_order_relaxed);
    catch_range(start & ~(HOLD_PAGE - 1), (start + length + HOLD_PAGE - 1) & ~(HOLD_PAGE - 1));
    atomic_fetch_add_explicit(&hold.nanoseconds, hold_now() - began, memory_order_relaxed);
  }
  atomic_fetch_sub(&hold.catching, 1);
  errno = saved;
}
