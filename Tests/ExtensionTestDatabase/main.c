/* A database program for the extension's tests: knows WiredTiger and nothing of Leafcutter, which comes
 * in by LD_PRELOAD and WIREDTIGER_CONFIG as it would in production.
 *
 *   ExtensionTestDatabase HOME none|snappy|zlib DOCUMENTS CACHE_MB
 *
 * Opens or creates the database, then takes one command a line and answers each with one line,
 * "ok …" or "error …":
 *   warm        reads every document and index entry
 *   first N     reads the first N documents
 *   read N      reads N documents at random; "ok N BAD"
 *   update N    writes N documents at random
 *   write N     writes N documents in the open transaction, or a new one; "ok N CODE"
 *   overfill N  the same, whether or not there is room in the cache
 *   commit      ends it; "ok CODE", 1 where it was rolled back before
 *   pin         leaves a transaction open that has read a document
 *   leaves      leaf pages in the cache, by WiredTiger's own walk
 *   cache       "ok CACHE_SIZE BYTES_IN_CACHE"
 *   statistics all|none  switches the engine's statistics on or off
 *   verify      reads and compares every document; "ok N BAD"
 *   slots       the words of WT_CONNECTION, WT_SESSION and WT_CURSOR at which the methods lie that
 *               Leafcutter uses, with the first one's and the one after the last's, by the header
 *   methods     "ok OPEN_SESSION CLOSE", 1 where the connection's method is the engine's own
 *   close       closes the connection, opens it without Leafcutter, runs WT_SESSION::verify
 *   reopen      closes the connection and opens it again in the same process
 *   table NAME row|column|encrypted ROWS    makes a further table
 *   drop NAME   drops it; "ok 0" where it is gone
 *   empty NAME  truncates it; "ok CODE"
 *   cut NAME FROM TO  truncates the rows with keys from one to the other; "ok CODE"
 *   alone NAME  verifies it, for which nobody else may have it open; "ok CODE"
 *   rows NAME   reads it all; "ok ROWS", as many as are what was written
 *   many N ROWS makes N tables with an index of the engine's own each
 *   checkmany N reads them and their indexes; "ok ROWS BAD"
 *   versions ROWS  makes a table whose rows have an older version each that is kept
 *   warmversions   reads it; "ok ROWS"
 *   prepare ROWS   leaves a prepared transaction that has written so many of them
 *   endprepared    rolls it back; "ok CODE"
 *   readers N   has N threads read documents from now on
 *   latencies   of their reads since the last time; "ok READS BAD P50 P99 MAX", in nanoseconds
 *   still       ends them
 *   checkpoints has a thread take one after the other, with some documents written between them
 *   nocheckpoints  ends it; "ok CHECKPOINTS FAILED"
 *   snapshot N  opens a transaction that sees N documents as they are, and changes them for everybody else
 *   snapshotread N  reads them in it and outside; "ok READ BAD"
 *   endsnapshot ends it and makes the documents what they were
 *   cursors N   leaves N cursors on documents, evenly spread
 *   oncursors   reads where they stand, and moves each to and fro; "ok READ BAD"
 *   sessions    opens sessions until the engine gives no more
 *   fork        a child with all memory in common, until `endchild`; "ok 1" where it was alive then
 *   mappings N  makes so many mappings that the kernel allows only N more
 *   files       opens /dev/null until there is no descriptor left of 1024
 *   nofiles     closes them
 *   space MB    has it granted only so much more address space
 *   stall N     has N threads give memory back, whose mremap(2) is refused when all that come are in it
 *   nostall     ends them; "ok MOST", how many were in it at once
 *   nothreads   has it refused any further thread, until `threads`; not where it is root
 *   second HOME opens a second database in this process, with as many documents
 *   secondread  reads them; "ok READ BAD"
 *   secondclose closes it; "ok CODE"
 *   quit        exits without closing
 *
 * TEST_DATABASE_RECOVERS_FOR in its environment says for how many seconds opening lasts with a session for statistics
 * open (WiredTiger 11), whose beginning the file HOME/early tells.
 * TEST_DATABASE_REFUSES names what it is refused: io_uring, userfaultfd (with kill: whoever
 * calls them is ended), pagemap_scan, memlock (locked memory beyond 1 MiB), root (it becomes nobody) or swapping (mlockall).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "database.h"

WT_CONNECTION *connection;
WT_SESSION *session;
uint64_t count;
const char *const tables[] = {"table:documents", "table:index"};
WT_CURSOR *documents, *entries;
static uint64_t cache_mb;
static const char *home, *compressor;

void check(int code, const char *what) {
  if (code == 0) return;
  printf("error %s: %s\n", what, wiredtiger_strerror(code));
  fflush(stdout);
  exit(1);
}

#if WIREDTIGER_VERSION_MAJOR >= 11
static int open_early(WT_EVENT_HANDLER *handler, WT_CONNECTION *opening, WT_SESSION *none,
                      WT_EVENT_TYPE type, void *argument) {
  const char *seconds = getenv("TEST_DATABASE_RECOVERS_FOR");
  WT_SESSION *early;
  WT_CURSOR *statistics;
  char path[512];
  (void)handler, (void)none, (void)argument;
  if (type != WT_EVENT_CONN_READY || !seconds || atoi(seconds) == 0) return 0;
  check(opening->open_session(opening, NULL, NULL, &early), "open_session");
  check(early->open_cursor(early, "statistics:", NULL, NULL, &statistics), "statistics");
  snprintf(path, sizeof path, "%s/early", home);
  fclose(fopen(path, "w"));
  sleep((unsigned)atoi(seconds));
  unsetenv("TEST_DATABASE_RECOVERS_FOR");
  return early->close(early, NULL);
}

static WT_EVENT_HANDLER events = {.handle_general = open_early};
#else
static WT_EVENT_HANDLER events;
#endif

static void open_database(uint64_t megabytes) {
  char configuration[512], library[64] = "";
  /* Newer engines have snappy built in. */
  if (strcmp(compressor, "none") != 0 && WIREDTIGER_VERSION_MAJOR < 11)
    snprintf(library, sizeof library, ",extensions=[libwiredtiger_%s.so]", compressor);
  snprintf(configuration, sizeof configuration,
           "create,cache_size=%" PRIu64 "M,statistics=(all),log=(enabled=true)%s", megabytes, library);
  check(wiredtiger_open(home, &events, configuration, &connection), "wiredtiger_open");
  check(connection->open_session(connection, NULL, NULL, &session), "open_session");
}

static void fill(void) {
  char key[KEY_SIZE], value[VALUE_SIZE], reverse[KEY_SIZE], create[256];
  snprintf(create, sizeof create,
           "key_format=S,value_format=S,leaf_page_max=32KB,block_compressor=%s", compressor);
  /* What is there is not made again, which a database that is only read refuses. */
  for (int i = 0; i < 2; i++)
    if (session->open_cursor(session, tables[i], NULL, NULL, &documents))
      check(session->create(session, tables[i], create), "create");
    else
      documents->close(documents);
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
  /* Refused where all is in memory. */
  int code = session->checkpoint(session, NULL);
  if (code != ENOTSUP) check(code, "checkpoint");
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

static void reopen(const char *argument) {
  (void)argument;
  check(connection->close(connection, NULL), "close");
  open_database(cache_mb);
  fill();
  printf("ok\n");
}

static const struct {
  const char *name;
  void (*run)(const char *argument);
} commands[] = {
    {"statistics", set_statistics},
    {"warm", warm},
    {"first", first},
    {"sessions", take_sessions},
    {"read", read_number},
    {"update", update},
    {"verify", read_all},
    {"pin", pin},
    {"leaves", leaves},
    {"cache", cache},
    {"slots", print_slots},
    {"methods", print_owners},
    {"reopen", reopen},
    {"table", add_table},
    {"drop", drop_table},
    {"empty", empty_table},
    {"cut", cut_table},
    {"alone", verify_table},
    {"rows", check_table},
    {"rollback", roll_back},
    {"many", add_many},
    {"checkmany", check_many},
    {"versions", add_versions},
    {"warmversions", warm_versions},
    {"prepare", prepare_transaction},
    {"endprepared", end_prepared},
    {"readers", start_readers},
    {"latencies", report_latencies},
    {"still", stop_readers},
    {"checkpoints", start_checkpoints},
    {"nocheckpoints", stop_checkpoints},
    {"write", write_more},
    {"overfill", overfill},
    {"commit", commit},
    {"snapshot", open_snapshot},
    {"snapshotread", read_snapshot},
    {"endsnapshot", end_snapshot},
    {"cursors", place_cursors},
    {"oncursors", read_at_cursors},
    {"fork", fork_child},
    {"endchild", end_child},
    {"mappings", use_up_mappings},
    {"files", use_up_descriptors},
    {"nofiles", free_descriptors},
    {"nothreads", refuse_threads},
    {"space", limit_address_space},
    {"stall", start_stalling},
    {"nostall", stop_stalling},
    {"threads", allow_threads},
    {"second", open_second},
    {"secondread", read_second},
    {"secondclose", close_second},
};

static void run(const char *name, const char *argument) {
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    if (strcmp(name, commands[i].name)) continue;
    commands[i].run(argument);
    return;
  }
  printf("error unknown command\n");
}

int main(int argc, char **argv) {
  char line[256];
  if (argc != 5) {
    fprintf(stderr, "usage: %s HOME none|snappy|zlib DOCUMENTS CACHE_MB\n", argv[0]);
    return 2;
  }
  refuse();
  home = argv[1];
  compressor = argv[2];
  count = strtoull(argv[3], NULL, 10);
  cache_mb = strtoull(argv[4], NULL, 10);
  open_database(cache_mb);
  fill();
  printf("ok open\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    char *space = strchr(line, ' ');
    if (space) *space = 0;
    if (strcmp(line, "quit") == 0) return 0;
    if (strcmp(line, "close") == 0) {
      close_and_verify();
      fflush(stdout);
      return 0;
    }
    run(line, space ? space + 1 : "");
    fflush(stdout);
  }
  return 0;
}
