/* Sessions that live through a migration: a snapshot, open cursors, a thread that takes checkpoints. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

#define MAXIMUM_CURSORS 64
/* What a changed document's content follows from, beside its number. */
#define CHANGED (1ull << 32)

static WT_SESSION *reader;
static WT_CURSOR *seen;
static uint64_t changed;

static uint64_t spread(uint64_t index, uint64_t number) { return index * count / number; }

static void give_content(uint64_t number, uint64_t content) {
  char key[KEY_SIZE], value[VALUE_SIZE];
  make_key(key, number);
  make_value(value, content);
  documents->set_key(documents, key);
  documents->set_value(documents, value);
  check(documents->update(documents), "update");
  documents->reset(documents);
}

/* snapshot N */
void open_snapshot(const char *argument) {
  changed = strtoull(argument, NULL, 10);
  check(connection->open_session(connection, NULL, NULL, &reader), "open_session");
  check(reader->open_cursor(reader, tables[0], NULL, NULL, &seen), "open_cursor");
  check(reader->begin_transaction(reader, "isolation=snapshot"), "begin");
  /* The first read decides what it sees. */
  uint64_t bad = !is_good(seen, 0);
  for (uint64_t i = 0; i < changed; i++)
    give_content(spread(i, changed), spread(i, changed) + CHANGED);
  printf("ok %" PRIu64 "\n", bad);
}

/* snapshotread N: "ok READ BAD" */
void read_snapshot(const char *argument) {
  uint64_t wanted = strtoull(argument, NULL, 10), bad = 0;
  for (uint64_t i = 0; i < wanted && i < changed; i++) {
    uint64_t number = spread(i * changed / wanted, changed);
    if (!is_good(seen, number)) bad++;
    if (!has_content(documents, number, number + CHANGED)) bad++;
  }
  printf("ok %" PRIu64 " %" PRIu64 "\n", wanted, bad);
}

/* endsnapshot: "ok CODE" of its transaction */
void end_snapshot(const char *argument) {
  (void)argument;
  int code = reader->commit_transaction(reader, NULL);
  check(reader->close(reader, NULL), "close");
  for (uint64_t i = 0; i < changed; i++) give_content(spread(i, changed), spread(i, changed));
  printf("ok %d\n", code);
}

static WT_CURSOR *placed[MAXIMUM_CURSORS];
static uint64_t placed_count;

/* cursors N: each in a session of its own */
void place_cursors(const char *argument) {
  char key[KEY_SIZE];
  placed_count = strtoull(argument, NULL, 10);
  if (placed_count > MAXIMUM_CURSORS) placed_count = MAXIMUM_CURSORS;
  for (uint64_t i = 0; i < placed_count; i++) {
    WT_SESSION *own;
    check(connection->open_session(connection, NULL, NULL, &own), "open_session");
    check(own->open_cursor(own, tables[0], NULL, NULL, &placed[i]), "open_cursor");
    make_key(key, spread(i, placed_count));
    placed[i]->set_key(placed[i], key);
    check(placed[i]->search(placed[i]), "search");
  }
  printf("ok %" PRIu64 "\n", placed_count);
}

static bool stands_at(WT_CURSOR *cursor, uint64_t number) {
  char key[KEY_SIZE], value[VALUE_SIZE];
  const char *stored_key, *stored;
  make_key(key, number);
  make_value(value, number);
  return cursor->get_key(cursor, &stored_key) == 0 && cursor->get_value(cursor, &stored) == 0 &&
         strcmp(stored_key, key) == 0 && strcmp(stored, value) == 0;
}

/* oncursors: "ok READ BAD" */
void read_at_cursors(const char *argument) {
  uint64_t bad = 0;
  (void)argument;
  for (uint64_t i = 0; i < placed_count; i++) {
    uint64_t number = spread(i, placed_count);
    if (!stands_at(placed[i], number)) bad++;
    /* Over the page's border, as long as there is one. */
    int moved = 0;
    while (moved < 100 && placed[i]->next(placed[i]) == 0) moved++;
    if (moved < 100) {
      char key[KEY_SIZE];
      make_key(key, number);
      placed[i]->set_key(placed[i], key);
      check(placed[i]->search(placed[i]), "search");
      continue;
    }
    while (moved > 0 && placed[i]->prev(placed[i]) == 0) moved--;
    if (!stands_at(placed[i], number)) bad++;
  }
  printf("ok %" PRIu64 " %" PRIu64 "\n", placed_count, bad);
}

static pthread_t checkpointer;
static atomic_bool ends;
static atomic_uint_fast64_t taken, failed;

static void *take_checkpoints(void *argument) {
  WT_SESSION *own;
  WT_CURSOR *written;
  char key[KEY_SIZE], value[VALUE_SIZE];
  uint64_t state = 9;
  (void)argument;
  check(connection->open_session(connection, NULL, NULL, &own), "open_session");
  check(own->open_cursor(own, tables[0], NULL, NULL, &written), "open_cursor");
  while (!ends) {
    for (int i = 0; i < 50; i++) {
      state = mix(state + 1);
      make_key(key, state % count);
      make_value(value, state % count);
      written->set_key(written, key);
      written->set_value(written, value);
      if (written->update(written)) failed++;
    }
    written->reset(written);
    if (own->checkpoint(own, NULL)) failed++;
    taken++;
  }
  own->close(own, NULL);
  return NULL;
}

/* checkpoints */
void start_checkpoints(const char *argument) {
  (void)argument;
  ends = false;
  check(pthread_create(&checkpointer, NULL, take_checkpoints, NULL), "pthread_create");
  printf("ok\n");
}

/* nocheckpoints: "ok CHECKPOINTS FAILED" */
void stop_checkpoints(const char *argument) {
  (void)argument;
  ends = true;
  pthread_join(checkpointer, NULL);
  printf("ok %" PRIu64 " %" PRIu64 "\n", (uint64_t)taken, (uint64_t)failed);
}

/* sessions: opens sessions until the engine gives none; "ok N" */
void take_sessions(const char *argument) {
  WT_SESSION *taken;
  int number = 0;
  (void)argument;
  while (connection->open_session(connection, NULL, NULL, &taken) == 0) number++;
  printf("ok %d\n", number);
}
