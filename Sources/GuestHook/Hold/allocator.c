/* Which allocator serves this process, and how it is asked to give memory back. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "leafcutter_hold.h"

typedef int (*mallctl_function)(const char *, void *, size_t *, void *, size_t);
typedef void (*release_function)(void);
/* Of late it returns how much that was; nobody reads it. */
typedef void (*release_bytes_function)(size_t);
typedef int (*property_function)(const char *, size_t *);

static struct {
  pthread_once_t once;
  mallctl_function control;   /* jemalloc's */
  release_function release;   /* tcmalloc's of gperftools, as the next */
  property_function property;
  release_bytes_function release_bytes; /* the other tcmalloc's, github.com/google/tcmalloc */
} functions = {.once = PTHREAD_ONCE_INIT};

/* More than a process has; not SIZE_MAX, lest anybody add to it. */
#define ALL_BYTES ((size_t)1 << 47)

/* In a debug build a test that has this library in its own process says what there is. */
#ifdef DEBUG
void leafcutter_hold_look_up(void *(*symbol)(const char *name));
#else
static
#endif
void leafcutter_hold_look_up(void *(*symbol)(const char *name)) {
  functions.control = (mallctl_function)symbol("mallctl");
  functions.release = (release_function)symbol("MallocExtension_ReleaseFreeMemory");
  functions.property = (property_function)symbol("MallocExtension_GetNumericProperty");
  functions.release_bytes =
    (release_bytes_function)symbol("MallocExtension_Internal_ReleaseMemoryToSystem");
}

static void *in_process(const char *name) { return dlsym(RTLD_DEFAULT, name); }

static void look_up(void) { leafcutter_hold_look_up(in_process); }

/* Once, when the extension is loaded: dlsym(3) takes the loader's lock, which a thread may hold that waits for
 * this one, as where a library's destructor closes the database. */
static void find(void) { pthread_once(&functions.once, look_up); }

const char *leafcutter_hold_allocator(void) {
  find();
  if (functions.control) return "jemalloc";
  if (functions.release || functions.release_bytes) return "tcmalloc";
  return "glibc";
}

int leafcutter_hold_purge(void) {
  find();
  /* MALLCTL_ARENAS_ALL is 4096 (jemalloc(3)). */
  if (functions.control) return functions.control("arena.4096.purge", NULL, NULL, NULL, 0);
  if (functions.release)
    functions.release();
  else if (functions.release_bytes)
    functions.release_bytes(ALL_BYTES);
  else
    malloc_trim(0);
  return 0;
}

size_t leafcutter_hold_kept_free(void) {
  size_t kept = 0;
  find();
  if (functions.control) {
    /* The figures are those of the last time that somebody set the epoch. */
    uint64_t epoch = 1;
    size_t length = sizeof kept;
    if (functions.control("epoch", NULL, NULL, &epoch, sizeof epoch) ||
        functions.control("stats.arenas.4096.pdirty", &kept, &length, NULL, 0))
      return 0;
    return kept * 4096;
  }
  if (!functions.property || !functions.property("tcmalloc.pageheap_free_bytes", &kept)) return 0;
  return kept;
}
