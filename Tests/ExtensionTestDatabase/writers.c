/* A writer with one transaction, which may be large. */
#include <stdio.h>
#include <stdlib.h>

#include "database.h"

static WT_SESSION *writer;
static WT_CURSOR *written;
static uint64_t position;

/* In the open transaction, or a new one of a session so configured. After an error it is rolled back. */
static void write_as(const char *configuration, const char *argument) {
  uint64_t wanted = strtoull(argument, NULL, 10), done = 0;
  char key[KEY_SIZE], value[VALUE_SIZE];
  int code = 0;
  if (!writer) {
    check(connection->open_session(connection, NULL, configuration, &writer),
          "open_session");
    check(writer->open_cursor(writer, "table:documents", NULL, NULL, &written), "open_cursor");
    check(writer->begin_transaction(writer, "isolation=snapshot"), "begin");
    position = 0;
  }
  for (; done < wanted; done++, position++) {
    make_key(key, position % count);
    make_value(value, position % count);
    written->set_key(written, key);
    written->set_value(written, value);
    code = written->update(written);
    if (code != 0) break;
  }
  printf("ok %" PRIu64 " %d\n", done, code);
  if (code == 0) return;
  check(writer->close(writer, NULL), "close");
  writer = NULL;
}

/* write N: "ok N CODE", with WiredTiger's code */
void write_more(const char *argument) { write_as(NULL, argument); }

/* overfill N: the same, but neither waits for room in the cache nor is rolled back for want of it. */
void overfill(const char *argument) { write_as("ignore_cache_size=true", argument); }

/* commit: "ok CODE"; 1 where there is nothing to commit */
void commit(const char *argument) {
  (void)argument;
  int code = writer ? writer->commit_transaction(writer, NULL) : 1;
  if (writer) check(writer->close(writer, NULL), "close");
  writer = NULL;
  printf("ok %d\n", code);
}
