/* A second connection in this process, to a database of its own. */
#include <stdio.h>
#include <sys/stat.h>

#include "database.h"

static WT_CONNECTION *other;
static WT_SESSION *other_session;
static WT_CURSOR *other_documents;
static uint64_t other_count;

/* second HOME: opens it, makes it if need be, with as many documents as the first one has, and reads them */
void open_second(const char *home) {
  char key[KEY_SIZE], value[VALUE_SIZE];
  mkdir(home, 0755);
  check(wiredtiger_open(home, NULL, "create,cache_size=512M,statistics=(all)", &other), "second");
  check(other->open_session(other, NULL, NULL, &other_session), "second session");
  check(other_session->create(other_session, tables[0],
                              "key_format=S,value_format=S,leaf_page_max=32KB"), "second table");
  check(other_session->open_cursor(other_session, tables[0], NULL, NULL, &other_documents), "cursor");
  for (other_count = 0; other_count < count; other_count++) {
    make_key(key, other_count);
    make_value(value, other_count);
    other_documents->set_key(other_documents, key);
    other_documents->set_value(other_documents, value);
    check(other_documents->insert(other_documents), "second insert");
  }
  other_documents->reset(other_documents);
  check(other_session->checkpoint(other_session, NULL), "second checkpoint");
  printf("ok %" PRIu64 "\n", other_count);
}

/* secondread: reads all of its documents; "ok READ BAD" */
void read_second(const char *argument) {
  char key[KEY_SIZE];
  uint64_t bad = 0;
  (void)argument;
  for (uint64_t number = 0; number < other_count; number++) {
    make_key(key, number);
    other_documents->set_key(other_documents, key);
    if (other_documents->search(other_documents) || !is_good(other_documents, number)) bad++;
  }
  other_documents->reset(other_documents);
  printf("ok %" PRIu64 " %" PRIu64 "\n", other_count, bad);
}

/* secondclose: "ok CODE" */
void close_second(const char *argument) {
  (void)argument;
  printf("ok %d\n", other->close(other, NULL));
}
