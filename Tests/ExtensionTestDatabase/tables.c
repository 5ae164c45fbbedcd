/* Further tables, of kinds that Leafcutter does not list, and ones that go away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

#define MANY_FORMAT "key_format=S,value_format=QS,columns=(name,number,content),leaf_page_max=32KB"

/* table NAME row|column|encrypted ROWS */
void add_table(const char *argument) {
  char name[32], kind[16], uri[64], create[128], key[KEY_SIZE], value[VALUE_SIZE];
  uint64_t rows;
  WT_CURSOR *cursor;
  if (sscanf(argument, "%31s %15s %" SCNu64, name, kind, &rows) != 3) {
    printf("error table NAME KIND ROWS\n");
    return;
  }
  bool is_column = strcmp(kind, "column") == 0;
  snprintf(uri, sizeof uri, "table:%s", name);
  snprintf(create, sizeof create, "key_format=%s,value_format=S,leaf_page_max=32KB%s",
           is_column ? "r" : "S",
           strcmp(kind, "encrypted") == 0 ? ",encryption=(name=test)" : "");
  check(session->create(session, uri, create), "create");
  check(session->open_cursor(session, uri, NULL, NULL, &cursor), "open");
  for (uint64_t number = 0; number < rows; number++) {
    make_key(key, number);
    make_value(value, number);
    if (is_column)
      cursor->set_key(cursor, number + 1);
    else
      cursor->set_key(cursor, key);
    cursor->set_value(cursor, value);
    check(cursor->insert(cursor), "insert");
  }
  check(cursor->close(cursor), "close");
  check(session->checkpoint(session, NULL), "checkpoint");
  printf("ok\n");
}

/* drop NAME: "ok 0" where it is gone */
void drop_table(const char *argument) {
  char uri[64];
  snprintf(uri, sizeof uri, "table:%s", argument);
  printf("ok %d\n", session->drop(session, uri, NULL));
}

/* empty NAME: "ok CODE" */
void empty_table(const char *argument) {
  char uri[64];
  snprintf(uri, sizeof uri, "table:%s", argument);
  printf("ok %d\n", session->truncate(session, uri, NULL, NULL, NULL));
}

/* cut NAME FROM TO: "ok CODE" */
void cut_table(const char *argument) {
  char name[32], uri[64], from[KEY_SIZE], to[KEY_SIZE];
  WT_CURSOR *first, *last;
  if (sscanf(argument, "%31s %23s %23s", name, from, to) != 3) {
    printf("error cut NAME FROM TO\n");
    return;
  }
  snprintf(uri, sizeof uri, "table:%s", name);
  check(session->open_cursor(session, uri, NULL, NULL, &first), "open");
  check(session->open_cursor(session, uri, NULL, NULL, &last), "open");
  first->set_key(first, from);
  last->set_key(last, to);
  printf("ok %d\n", session->truncate(session, NULL, first, last, NULL));
  check(first->close(first), "close");
  check(last->close(last), "close");
}

/* alone NAME: "ok CODE" */
void verify_table(const char *argument) {
  char uri[64];
  snprintf(uri, sizeof uri, "table:%s", argument);
  /* What differs from its file is refused. */
  check(session->checkpoint(session, NULL), "checkpoint");
  printf("ok %d\n", session->verify(session, uri, NULL));
}

/* rollback: to the stable timestamp, before which nothing here was written; "ok CODE" */
void roll_back(const char *argument) {
  (void)argument;
  check(connection->set_timestamp(connection, "oldest_timestamp=1,stable_timestamp=1"), "timestamp");
  check(session->reset(session), "reset");
  printf("ok %d\n", connection->rollback_to_stable(connection, NULL));
}

/* rows NAME: reads it all; "ok ROWS", as many as are what was written */
void check_table(const char *argument) {
  char uri[64], key[KEY_SIZE], value[VALUE_SIZE];
  const char *stored;
  uint64_t rows = 0, good = 0;
  WT_CURSOR *cursor;
  snprintf(uri, sizeof uri, "table:%s", argument);
  check(session->open_cursor(session, uri, NULL, NULL, &cursor), "open");
  while (cursor->next(cursor) == 0) rows++;
  for (uint64_t number = 0; number < rows; number++) {
    make_key(key, number);
    make_value(value, number);
    if (strcmp(cursor->key_format, "r") == 0)
      cursor->set_key(cursor, number + 1);
    else
      cursor->set_key(cursor, key);
    if (cursor->search(cursor) == 0 && cursor->get_value(cursor, &stored) == 0 &&
        strcmp(stored, value) == 0)
      good++;
  }
  check(cursor->close(cursor), "close");
  printf("ok %" PRIu64 "\n", good);
}

/* many N ROWS */
void add_many(const char *argument) {
  char uri[64], key[KEY_SIZE], value[VALUE_SIZE];
  unsigned tables, rows;
  WT_CURSOR *cursor;
  if (sscanf(argument, "%u %u", &tables, &rows) != 2) {
    printf("error many N ROWS\n");
    return;
  }
  for (unsigned table = 0; table < tables; table++) {
    snprintf(uri, sizeof uri, "table:many%u", table);
    check(session->create(session, uri, MANY_FORMAT), "create");
    snprintf(uri, sizeof uri, "index:many%u:number", table);
    check(session->create(session, uri, "columns=(number)"), "create");
    snprintf(uri, sizeof uri, "table:many%u", table);
    check(session->open_cursor(session, uri, NULL, NULL, &cursor), "open");
    for (unsigned row = 0; row < rows; row++) {
      make_key(key, row);
      make_value(value, table + row);
      cursor->set_key(cursor, key);
      cursor->set_value(cursor, (uint64_t)row, value);
      check(cursor->insert(cursor), "insert");
    }
    check(cursor->close(cursor), "close");
  }
  check(session->checkpoint(session, NULL), "checkpoint");
  printf("ok\n");
}

/* checkmany N: "ok ROWS BAD"; each row by its index */
void check_many(const char *argument) {
  char uri[64], value[VALUE_SIZE];
  const char *stored;
  uint64_t number, indexed, rows = 0, bad = 0;
  unsigned tables = (unsigned)strtoul(argument, NULL, 10);
  for (unsigned table = 0; table < tables; table++) {
    WT_CURSOR *cursor;
    snprintf(uri, sizeof uri, "index:many%u:number", table);
    check(session->open_cursor(session, uri, NULL, NULL, &cursor), "open");
    for (uint64_t row = 0; cursor->next(cursor) == 0; row++, rows++) {
      check(cursor->get_key(cursor, &indexed), "key");
      check(cursor->get_value(cursor, &number, &stored), "value");
      make_value(value, table + row);
      if (indexed != row || number != row || strcmp(stored, value) != 0) bad++;
    }
    check(cursor->close(cursor), "close");
  }
  printf("ok %" PRIu64 " %" PRIu64 "\n", rows, bad);
}
