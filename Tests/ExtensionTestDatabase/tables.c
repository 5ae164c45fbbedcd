/* Further tables, of kinds that Leafcutter does not list, and ones that go away. */
#include <stdio.h>
#include <string.h>

#include "database.h"

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

/* rows NAME: reads it all; "ok ROWS" */
void check_table(const char *argument) {
  char uri[64];
  uint64_t rows = 0;
  WT_CURSOR *cursor;
  snprintf(uri, sizeof uri, "table:%s", argument);
  check(session->open_cursor(session, uri, NULL, NULL, &cursor), "open");
  while (cursor->next(cursor) == 0) rows++;
  check(cursor->close(cursor), "close");
  printf("ok %" PRIu64 "\n", rows);
}
