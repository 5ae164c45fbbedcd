/* The test database's parts: what is in its documents (content.c), its commands (main.c, tables.c,
 * readers.c, writers.c, slots.c, process.c) and what it loads from itself (extensions.c). */
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

uint64_t mix(uint64_t value);
void make_key(char *key, uint64_t number);
/* A document's content follows from its number, half of it compressible. */
void make_value(char *value, uint64_t number);
bool is_good(WT_CURSOR *documents, uint64_t number);

/* Ends the program with "error …" where the code is not 0. */
void check(int code, const char *what);

/* Commands; each answers with one line. The argument is what follows the command's name. */
void print_slots(const char *argument);
void add_table(const char *argument);
void drop_table(const char *argument);
void check_table(const char *argument);
void write_more(const char *argument);
void commit(const char *argument);
void start_readers(const char *argument);
void report_latencies(const char *argument);
void stop_readers(const char *argument);
void fork_child(const char *argument);
void end_child(const char *argument);
void use_up_mappings(const char *argument);

/* Takes from this process what TEST_DATABASE_REFUSES names, before any thread is started. */
void refuse(void);

#endif
