/* A table whose documents have older versions that must be kept (timestamps), and a prepared transaction. */
#include <stdio.h>
#include <stdlib.h>

#include "database.h"

#define TABLE "table:versions"

static WT_SESSION *preparing;

static void write_row(WT_CURSOR *cursor, uint64_t number, uint64_t content) {
  char key[KEY_SIZE], value[VALUE_SIZE];
  snprintf(key, sizeof key, "%012" PRIu64, number);
  make_value(value, content);
  cursor->set_key(cursor, key);
  cursor->set_value(cursor, value);
  check(cursor->insert(cursor), "insert");
}

static void write_all(uint64_t rows, uint64_t offset, const char *commit) {
  WT_CURSOR *cursor;
  check(session->open_cursor(session, TABLE, NULL, NULL, &cursor), "open");
  for (uint64_t number = 0; number < rows; number++) {
    check(session->begin_transaction(session, "isolation=snapshot"), "begin");
    write_row(cursor, number, number + offset);
    check(session->commit_transaction(session, commit), "commit");
  }
  check(cursor->close(cursor), "close");
}

/* versions ROWS */
void add_versions(const char *argument) {
  uint64_t rows = strtoull(argument, NULL, 10);
  /* What a log has is not versioned. */
  check(session->create(session, TABLE,
                        "key_format=S,value_format=S,leaf_page_max=32KB,log=(enabled=false)"),
        "create");
  check(connection->set_timestamp(connection, "oldest_timestamp=1"), "oldest");
  write_all(rows, 1, "commit_timestamp=10");
  write_all(rows, 0, "commit_timestamp=20");
  check(connection->set_timestamp(connection, "stable_timestamp=20"), "stable");
  check(session->checkpoint(session, NULL), "checkpoint");
  printf("ok\n");
}

/* warmversions: reads them all; "ok ROWS" */
void warm_versions(const char *argument) {
  WT_CURSOR *cursor;
  uint64_t rows = 0;
  (void)argument;
  check(session->open_cursor(session, TABLE, NULL, NULL, &cursor), "open");
  while (cursor->next(cursor) == 0) rows++;
  check(cursor->close(cursor), "close");
  printf("ok %" PRIu64 "\n", rows);
}

/* prepare ROWS: a transaction that has written so many rows, and is prepared */
void prepare_transaction(const char *argument) {
  uint64_t rows = strtoull(argument, NULL, 10);
  WT_CURSOR *cursor;
  check(connection->open_session(connection, NULL, NULL, &preparing), "open_session");
  check(preparing->open_cursor(preparing, TABLE, NULL, NULL, &cursor), "open");
  check(preparing->begin_transaction(preparing, "isolation=snapshot"), "begin");
  for (uint64_t number = 0; number < rows; number++)
    write_row(cursor, number, number + 2);
  check(preparing->prepare_transaction(preparing, "prepare_timestamp=30"), "prepare");
  printf("ok\n");
}

/* endprepared: rolls it back; "ok CODE" */
void end_prepared(const char *argument) {
  (void)argument;
  int code = preparing->rollback_transaction(preparing, NULL);
  preparing->close(preparing, NULL);
  printf("ok %d\n", code);
}
