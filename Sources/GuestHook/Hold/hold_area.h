/* The hold area and the window, shared by the files of this library. */
#ifndef LEAFCUTTER_HOLD_AREA_H
#define LEAFCUTTER_HOLD_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel_abi.h"

#define HOLD_HIDDEN __attribute__((visibility("hidden")))
#define HOLD_PAGE 4096ul

/* True between leafcutter_hold_open and leafcutter_hold_close, in the process that opened it only: a
 * forked child sees false, because its descriptors would still speak of the parent's memory. */
HOLD_HIDDEN bool hold_window_is_open(void);

/* Moves the present anonymous pages of a range that is being given back into the hold area. What
 * cannot be moved stays; the caller gives the range to the kernel in every case. Any thread. */
HOLD_HIDDEN void hold_catch(uintptr_t start, size_t length);

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

/* Adds pieces and pinned bytes to the statistics (pin.c). */
struct leafcutter_hold_stats;
HOLD_HIDDEN void hold_pin_stats(struct leafcutter_hold_stats *out);

#endif
