/* What a program does, counted inside it: a library that is loaded before all others (LD_PRELOAD) and
   counts calls into a file that two processes map. */
#ifndef LEAFCUTTER_CALL_COUNTS_H
#define LEAFCUTTER_CALL_COUNTS_H

#include <stdint.h>

/* The variable that names the file; without it nothing is kept. */
#define CALL_COUNTS_FILE "LEAFCUTTER_CALL_COUNTS"

/* The file's beginning. Numbers only rise. */
struct call_counts {
  /* Calls of read(2), write(2), their relatives, splice(2), and of what waits for descriptors. */
  uint64_t io_calls;
  /* Bytes that those calls, without splice(2), took or gave: the kernel copies them. MSG_TRUNC takes none. */
  uint64_t io_bytes;
  /* Calls of malloc(3), calloc(3), realloc(3) and their aligned relatives. */
  uint64_t allocations;
  /* Bytes that memcpy(3) and memmove(3) moved in calls of 256 and more. */
  uint64_t moved_bytes;
};

#endif
