/* Commands that read and write the documents, and ask for the cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

static uint64_t statistic(const char *uri, const char *configuration, const char *wanted) {
  WT_CURSOR *cursor;
  const char *description, *printable;
  uint64_t value, found = 0;
  check(session->open_cursor(session, uri, NULL, configuration, &cursor), uri);
  while (cursor->next(cursor) == 0) {
    check(cursor->get_value(cursor, &description, &printable, &value), "statistic");
    if (strcmp(description, wanted) == 0) found = value;
  }
  cursor->close(cursor);
  return found;
}

void set_statistics(const char *argument) {
  char configuration[64];
  snprintf(configuration, sizeof configuration, "statistics=(%s)", argument);
  check(connection->reconfigure(connection, configuration), "reconfigure");
  printf("ok\n");
}

void warm(const char *argument) {
  (void)argument;
  uint64_t seen = 0;
  while (documents->next(documents) == 0) seen++;
  while (entries->next(entries) == 0) seen++;
  documents->reset(documents);
  entries->reset(entries);
  printf("ok %" PRIu64 "\n", seen);
}

/* In key order, so that whole leaves are read and others are not. */
void first(const char *argument) {
  uint64_t number = strtoull(argument, NULL, 10), seen = 0;
  while (seen < number && documents->next(documents) == 0) seen++;
  documents->reset(documents);
  printf("ok %" PRIu64 "\n", seen);
}

static void read_some(uint64_t number, bool all) {
  static uint64_t state = 1;
  uint64_t bad = 0;
  for (uint64_t i = 0; i < number; i++) {
    state = mix(state + 1);
    if (!is_good(documents, all ? i : state % count)) bad++;
  }
  printf("ok %" PRIu64 " %" PRIu64 "\n", number, bad);
}

void update(const char *argument) {
  uint64_t number = strtoull(argument, NULL, 10);
  char key[KEY_SIZE], value[VALUE_SIZE];
  static uint64_t state = 5;
  for (uint64_t i = 0; i < number; i++) {
    state = mix(state + 1);
    make_key(key, state % count);
    make_value(value, state % count);
    documents->set_key(documents, key);
    documents->set_value(documents, value);
    check(documents->update(documents), "update");
  }
  documents->reset(documents);
  printf("ok %" PRIu64 "\n", number);
}

void pin(const char *argument) {
  (void)argument;
  WT_SESSION *other;
  WT_CURSOR *cursor;
  check(connection->open_session(connection, NULL, NULL, &other), "open_session");
  check(other->open_cursor(other, tables[0], NULL, NULL, &cursor), "open_cursor");
  check(other->begin_transaction(other, "isolation=snapshot"), "begin");
  check(cursor->next(cursor), "next");
  printf("ok\n");
}

void leaves(const char *argument) {
  (void)argument;
  uint64_t total = 0;
  for (int i = 0; i < 2; i++) {
    char uri[64];
    snprintf(uri, sizeof uri, "statistics:file:%s.wt", strchr(tables[i], ':') + 1);
    total += statistic(uri, "statistics=(cache_walk)",
                       "cache_walk: Leaf pages currently in cache");
  }
  printf("ok %" PRIu64 "\n", total);
}

void read_number(const char *argument) { read_some(strtoull(argument, NULL, 10), false); }

void read_all(const char *argument) {
  (void)argument;
  read_some(count, true);
}

void cache(const char *argument) {
  (void)argument;
  printf("ok %" PRIu64 " %" PRIu64 "\n",
         statistic("statistics:", NULL, "cache: maximum bytes configured"),
         statistic("statistics:", NULL, "cache: bytes currently in the cache"));
}
