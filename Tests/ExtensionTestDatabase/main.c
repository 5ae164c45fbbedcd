/* A database program for the extension's tests: knows WiredTiger and nothing of Leafcutter, which comes
 * in by LD_PRELOAD and WIREDTIGER_CONFIG as it would in production.
 *
 *   ExtensionTestDatabase HOME none|snappy DOCUMENTS CACHE_MB
 *
 * Opens or creates the database, then takes one command a line and answers each with one line,
 * "ok …" or "error …":
 *   warm        reads every document and index entry
 *   read N      reads N documents at random; "ok N BAD"
 *   update N    writes N documents at random
 *   pin         leaves a transaction open that has read a document
 *   leaves      leaf pages in the cache, by WiredTiger's own walk
 *   cache       "ok CACHE_SIZE BYTES_IN_CACHE"
 *   verify      reads and compares every document; "ok N BAD"
 *   slots       the words of WT_CONNECTION, WT_SESSION and WT_CURSOR at which the methods lie that
 *               Leafcutter uses, with the first one's and the one behind the last's, by the header
 *   close       closes the connection, opens it without Leafcutter, runs WT_SESSION::verify
 *   reopen      closes the connection and opens it again in the same process
 *   quit        exits without closing
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wiredtiger.h>

#define VALUE_SIZE 700
#define KEY_SIZE 24

static const char *const tables[] = {"table:documents", "table:index"};
static WT_CONNECTION *connection;
static WT_SESSION *session;
static WT_CURSOR *documents, *entries;
static uint64_t count;
static const char *home;
static bool uses_snappy;

static uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

static void check(int code, const char *what) {
  if (code == 0) return;
  printf("error %s: %s\n", what, wiredtiger_strerror(code));
  fflush(stdout);
  exit(1);
}

static void make_key(char *key, uint64_t number) {
  snprintf(key, KEY_SIZE, "user%016" PRIx64, mix(number + 1));
}

/* A document's content follows from its number, half of it compressible. */
static void make_value(char *value, uint64_t number) {
  uint64_t state = mix(number + 77);
  for (size_t i = 0; i + 1 < VALUE_SIZE; i++) {
    if (i % 2 == 0) state = mix(state);
    value[i] = (char)('a' + (i % 4 < 2 ? state % 26 : number % 26));
  }
  value[VALUE_SIZE - 1] = 0;
}

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

static void open_database(uint64_t cache_mb) {
  char configuration[512];
  snprintf(configuration, sizeof configuration,
           "create,cache_size=%" PRIu64 "M,statistics=(all),log=(enabled=true)%s", cache_mb,
           uses_snappy && WIREDTIGER_VERSION_MAJOR < 11 ? ",extensions=[libwiredtiger_snappy.so]" : "");
  check(wiredtiger_open(home, NULL, configuration, &connection), "wiredtiger_open");
  check(connection->open_session(connection, NULL, NULL, &session), "open_session");
}

static void fill(void) {
  char key[KEY_SIZE], value[VALUE_SIZE], reverse[KEY_SIZE], create[256];
  snprintf(create, sizeof create, "key_format=S,value_format=S,leaf_page_max=32KB%s",
           uses_snappy ? ",block_compressor=snappy" : "");
  for (int i = 0; i < 2; i++) check(session->create(session, tables[i], create), "create");
  check(session->open_cursor(session, tables[0], NULL, NULL, &documents), "documents");
  check(session->open_cursor(session, tables[1], NULL, NULL, &entries), "index");
  if (documents->next(documents) == 0) {
    documents->reset(documents);
    return;
  }
  for (uint64_t number = 0; number < count; number++) {
    make_key(key, number);
    make_value(value, number);
    snprintf(reverse, sizeof reverse, "%012" PRIu64, number);
    documents->set_key(documents, key);
    documents->set_value(documents, value);
    check(documents->insert(documents), "insert");
    entries->set_key(entries, reverse);
    entries->set_value(entries, key);
    check(entries->insert(entries), "insert");
  }
  documents->reset(documents);
  entries->reset(entries);
  check(session->checkpoint(session, NULL), "checkpoint");
}

static void warm(void) {
  uint64_t seen = 0;
  while (documents->next(documents) == 0) seen++;
  while (entries->next(entries) == 0) seen++;
  documents->reset(documents);
  entries->reset(entries);
  printf("ok %" PRIu64 "\n", seen);
}

static bool is_good(uint64_t number) {
  char key[KEY_SIZE], value[VALUE_SIZE];
  const char *stored;
  make_key(key, number);
  make_value(value, number);
  documents->set_key(documents, key);
  bool good = documents->search(documents) == 0 &&
              documents->get_value(documents, &stored) == 0 && strcmp(stored, value) == 0;
  documents->reset(documents);
  return good;
}

static void read_some(uint64_t number, bool all) {
  static uint64_t state = 1;
  uint64_t bad = 0;
  for (uint64_t i = 0; i < number; i++) {
    state = mix(state + 1);
    if (!is_good(all ? i : state % count)) bad++;
  }
  printf("ok %" PRIu64 " %" PRIu64 "\n", number, bad);
}

static void update(uint64_t number) {
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

static void pin(void) {
  WT_SESSION *other;
  WT_CURSOR *cursor;
  check(connection->open_session(connection, NULL, NULL, &other), "open_session");
  check(other->open_cursor(other, tables[0], NULL, NULL, &cursor), "open_cursor");
  check(other->begin_transaction(other, "isolation=snapshot"), "begin");
  check(cursor->next(cursor), "next");
  printf("ok\n");
}

static void leaves(void) {
  uint64_t total = 0;
  for (int i = 0; i < 2; i++) {
    char uri[64];
    snprintf(uri, sizeof uri, "statistics:file:%s.wt", strchr(tables[i], ':') + 1);
    total += statistic(uri, "statistics=(cache_walk)",
                       "cache_walk: Leaf pages currently in cache");
  }
  printf("ok %" PRIu64 "\n", total);
}

static void slots(void) {
#define WORD(type, member) (offsetof(type, member) / sizeof(void *))
  const size_t words[] = {
      WORD(WT_CONNECTION, close), WORD(WT_CONNECTION, reconfigure), WORD(WT_CONNECTION, get_home),
      WORD(WT_CONNECTION, open_session), sizeof(WT_CONNECTION) / sizeof(void *),
      WORD(WT_SESSION, app_private) + 1, WORD(WT_SESSION, close), WORD(WT_SESSION, open_cursor),
      WORD(WT_SESSION, checkpoint), sizeof(WT_SESSION) / sizeof(void *),
      WORD(WT_CURSOR, value_format) + 1, WORD(WT_CURSOR, get_key), WORD(WT_CURSOR, get_value),
      WORD(WT_CURSOR, set_key), WORD(WT_CURSOR, next), WORD(WT_CURSOR, reset),
      WORD(WT_CURSOR, search_near), WORD(WT_CURSOR, close), WORD(WT_CURSOR, reopen) + 1};
  printf("ok");
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) printf(" %zu", words[i]);
  printf("\n");
}

static void close_and_verify(void) {
  int failed = 0;
  check(connection->close(connection, NULL), "close");
  unsetenv("WIREDTIGER_CONFIG");
  open_database(64);
  for (int i = 0; i < 2; i++) failed += session->verify(session, tables[i], NULL) != 0;
  check(connection->close(connection, NULL), "close");
  printf("ok %d\n", failed);
}

static void reopen(uint64_t cache_mb) {
  check(connection->close(connection, NULL), "close");
  open_database(cache_mb);
  fill();
  printf("ok\n");
}

int main(int argc, char **argv) {
  char line[256];
  uint64_t number;
  if (argc != 5) {
    fprintf(stderr, "usage: %s HOME none|snappy DOCUMENTS CACHE_MB\n", argv[0]);
    return 2;
  }
  home = argv[1];
  uses_snappy = strcmp(argv[2], "snappy") == 0;
  count = strtoull(argv[3], NULL, 10);
  open_database(strtoull(argv[4], NULL, 10));
  fill();
  printf("ok open\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "warm") == 0) {
      warm();
    } else if (sscanf(line, "read %" SCNu64, &number) == 1) {
      read_some(number, false);
    } else if (sscanf(line, "update %" SCNu64, &number) == 1) {
      update(number);
    } else if (strcmp(line, "verify") == 0) {
      read_some(count, true);
    } else if (strcmp(line, "pin") == 0) {
      pin();
    } else if (strcmp(line, "leaves") == 0) {
      leaves();
    } else if (strcmp(line, "cache") == 0) {
      printf("ok %" PRIu64 " %" PRIu64 "\n",
             statistic("statistics:", NULL, "cache: maximum bytes configured"),
             statistic("statistics:", NULL, "cache: bytes currently in the cache"));
    } else if (strcmp(line, "slots") == 0) {
      slots();
    } else if (strcmp(line, "reopen") == 0) {
      reopen(strtoull(argv[4], NULL, 10));
    } else if (strcmp(line, "close") == 0) {
      close_and_verify();
      fflush(stdout);
      return 0;
    } else if (strcmp(line, "quit") == 0) {
      return 0;
    } else {
      printf("error unknown command\n");
    }
    fflush(stdout);
  }
  return 0;
}
