/* Clients: threads that read documents and note how long that takes. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "database.h"

#define MAXIMUM_READERS 16
#define PAUSE_US 100
/* Sixteen to the doubling, from a nanosecond on. */
#define BUCKETS (48 * 16)

static pthread_t readers[MAXIMUM_READERS];
static int running;
static atomic_bool ends;
static atomic_uint_fast64_t latencies[BUCKETS], bad, longest;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static unsigned bucket(uint64_t nanoseconds) {
  unsigned power = 63 - (unsigned)__builtin_clzll(nanoseconds | 16);
  unsigned index = (power - 4) * 16 + (unsigned)(nanoseconds >> (power - 4)) % 16;
  return index < BUCKETS ? index : BUCKETS - 1;
}

/* The least that falls into a bucket. */
static uint64_t least(unsigned bucket) { return (uint64_t)(16 + bucket % 16) << (bucket / 16); }

static void *read_on(void *argument) {
  uint64_t state = (uintptr_t)argument + 1000;
  WT_SESSION *own;
  WT_CURSOR *documents;
  check(connection->open_session(connection, NULL, NULL, &own), "open_session");
  check(own->open_cursor(own, "table:documents", NULL, NULL, &documents), "open_cursor");
  while (!ends) {
    state = mix(state + 1);
    uint64_t began = now();
    bool good = is_good(documents, state % count);
    uint64_t took = now() - began;
    latencies[bucket(took)]++;
    uint64_t before = longest;
    while (took > before && !atomic_compare_exchange_weak(&longest, &before, took)) continue;
    if (!good) bad++;
    usleep(PAUSE_US);
  }
  own->close(own, NULL);
  return NULL;
}

/* readers N */
void start_readers(const char *argument) {
  int wanted = atoi(argument);
  ends = false;
  while (running < wanted && running < MAXIMUM_READERS) {
    if (pthread_create(&readers[running], NULL, read_on, (void *)(uintptr_t)running)) break;
    running++;
  }
  printf("ok %d\n", running);
}

/* latencies: since the last time; "ok READS BAD P50 P99 MAX", in nanoseconds */
void report_latencies(const char *argument) {
  uint64_t counts[BUCKETS], total = 0, sum = 0, half = 0, most = 0;
  (void)argument;
  for (unsigned i = 0; i < BUCKETS; i++) total += counts[i] = atomic_exchange(&latencies[i], 0);
  for (unsigned i = 0; i < BUCKETS; i++) {
    sum += counts[i];
    if (!half && sum * 2 >= total) half = least(i);
    if (!most && sum * 100 >= total * 99) most = least(i);
  }
  printf("ok %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", total,
         (uint64_t)atomic_exchange(&bad, 0), half, most, (uint64_t)atomic_exchange(&longest, 0));
}

void stop_readers(const char *argument) {
  (void)argument;
  ends = true;
  while (running > 0) pthread_join(readers[--running], NULL);
  printf("ok\n");
}
