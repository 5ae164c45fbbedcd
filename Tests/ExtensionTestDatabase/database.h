/* The test database's parts: what is in its documents (content.c), its commands (documents.c,
 * tables.c, versions.c, readers.c, writers.c, sessions.c, slots.c, process.c, stall.c, second.c; main.c runs
 * them) and what it loads from itself (extensions.c). */
#ifndef TEST_DATABASE_H
#define TEST_DATABASE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <wiredtiger.h>

#define VALUE_SIZE 700
#define KEY_SIZE 24

extern WT_CONNECTION *connection;
extern WT_SESSION *session;
extern uint64_t count; /* documents */
extern const char *const tables[2];
extern WT_CURSOR *documents, *entries; /* the session's, on the tables */

uint64_t mix(uint64_t value);
void make_key(char *key, uint64_t number);
/* A document's content follows from its number, half of it compressible. */
void make_value(char *value, uint64_t number);
bool is_good(WT_CURSOR *documents, uint64_t number);
/* The same for another content that it may have had. */
bool has_content(WT_CURSOR *documents, uint64_t number, uint64_t content);

/* Ends the program with "error …" where the code is not 0. */
void check(int code, const char *what);

/* Commands; each answers with one line. The argument is what follows the command's name. */
void set_statistics(const char *argument);
void warm(const char *argument);
void first(const char *argument);
void take_sessions(const char *argument);
void read_number(const char *argument);
void read_all(const char *argument);
void update(const char *argument);
void pin(const char *argument);
void leaves(const char *argument);
void cache(const char *argument);
void print_slots(const char *argument);
void print_owners(const char *argument);
void add_table(const char *argument);
void drop_table(const char *argument);
void empty_table(const char *argument);
void cut_table(const char *argument);
void verify_table(const char *argument);
void check_table(const char *argument);
void roll_back(const char *argument);
void add_many(const char *argument);
void check_many(const char *argument);
void add_versions(const char *argument);
void warm_versions(const char *argument);
void prepare_transaction(const char *argument);
void end_prepared(const char *argument);
void write_more(const char *argument);
void overfill(const char *argument);
void commit(const char *argument);
void start_readers(const char *argument);
void report_latencies(const char *argument);
void stop_readers(const char *argument);
void start_checkpoints(const char *argument);
void stop_checkpoints(const char *argument);
void open_snapshot(const char *argument);
void read_snapshot(const char *argument);
void end_snapshot(const char *argument);
void place_cursors(const char *argument);
void read_at_cursors(const char *argument);
void fork_child(const char *argument);
void end_child(const char *argument);
void use_up_mappings(const char *argument);
void use_up_descriptors(const char *argument);
void free_descriptors(const char *argument);
void refuse_threads(const char *argument);
void limit_address_space(const char *argument);
void start_stalling(const char *argument);
void stop_stalling(const char *argument);
void allow_threads(const char *argument);
void open_second(const char *home);
void read_second(const char *argument);
void close_second(const char *argument);

/* Takes from this process what TEST_DATABASE_REFUSES names, before any thread is started. */
void refuse(void);

#endif
