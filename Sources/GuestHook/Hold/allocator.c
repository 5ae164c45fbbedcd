/* Which allocator serves this process, and how it is asked to give memory back. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>

#include "leafcutter_hold.h"

typedef int (*mallctl_function)(const char *, void *, size_t *, void *, size_t);
typedef void (*release_function)(void);
typedef int (*property_function)(const char *, size_t *);

static mallctl_function jemalloc_control(void) {
  return (mallctl_function)dlsym(RTLD_DEFAULT, "mallctl");
}

static release_function tcmalloc_release(void) {
  return (release_function)dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory");
}

const char *leafcutter_hold_allocator(void) {
  if (jemalloc_control()) return "jemalloc";
  if (tcmalloc_release()) return "tcmalloc";
  return "glibc";
}

int leafcutter_hold_purge(void) {
  mallctl_function control = jemalloc_control();
  /* MALLCTL_ARENAS_ALL is 4096 (jemalloc(3)). */
  if (control) return control("arena.4096.purge", NULL, NULL, NULL, 0);
  release_function release = tcmalloc_release();
  if (release)
    release();
  else
    malloc_trim(0);
  return 0;
}

size_t leafcutter_hold_kept_free(void) {
  mallctl_function control = jemalloc_control();
  size_t kept = 0;
  if (control) {
    /* The figures are those of the last time that somebody set the epoch. */
    uint64_t epoch = 1;
    size_t length = sizeof kept;
    if (control("epoch", NULL, NULL, &epoch, sizeof epoch) ||
        control("stats.arenas.4096.pdirty", &kept, &length, NULL, 0))
      return 0;
    return kept * 4096;
  }
  property_function property =
      (property_function)dlsym(RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
  if (!property || !property("tcmalloc.pageheap_free_bytes", &kept)) return 0;
  return kept;
}
