#include "allocator.h"

#include <malloc.h>
#include <stddef.h>

/* jemalloc(3). */
extern int mallctl(const char *, void *, size_t *, void *, size_t) __attribute__((weak));

void leafcutter_store_purge_allocator(void) {
  /* MALLCTL_ARENAS_ALL */
  if (mallctl) mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
  else malloc_trim(0);
}
