/* What the WiredTiger extension needs of C: variadic methods, the linker's tables, descriptors that
 * arrive with a message, and signals kept away from its threads.
 *
 * Handles and methods are untyped here: which word of a handle is which method is the layout's
 * business (Sources/GuestHook/Extension/EngineLayout.swift), not that of a header at build time. */
#ifndef LEAFCUTTER_EXTENSION_SHIMS_H
#define LEAFCUTTER_EXTENSION_SHIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The hold library's interface only; it is found at run time and never linked. */
#include "../../Hold/include/leafcutter_hold.h"

/* Whether a function begins at `address`, in the module that also holds the code `reference`. */
bool leafcutter_is_function(const void *reference, const void *address);

/* Whether the code of a function refers to the text `name`, as a method of WiredTiger does to its own
 * ("WT_CURSOR.next"). */
bool leafcutter_names_itself(const void *function, const char *name);

/* Whether it refers to any text that begins like that. */
bool leafcutter_names_any(const void *function, const char *beginning);

/* Calls wiredtiger_version of the module that holds `reference`; returns its text, or NULL where
 * that module exports no such function. */
const char *leafcutter_engine_version(const void *reference);

/* A WT_EVENT_HANDLER that says nothing of what is expected to be refused: probing a page that is not in the cache
 * makes WiredTiger report a failed read, which is what was wanted and no business of the operator. All else goes to
 * standard error. */
void *leafcutter_quiet_handler(void);

/* cursor->set_key of a raw cursor. */
void leafcutter_set_raw_key(void *set_key, void *cursor, const void *bytes, size_t count);

struct leafcutter_file_identity {
  uint64_t device, inode;
};

typedef void (*leafcutter_refuse_reads)(uint64_t device, uint64_t inode);

/* cursor->search_near for a raw key, with this thread's reads of a file refused meanwhile (`refuse_reads` of the
 * hold library, or NULL to read as usual), and cursor->reset where it found something. Returns
 * search_near's result. */
int leafcutter_visit(void *set_key, void *search_near, void *reset, leafcutter_refuse_reads refuse_reads,
                     struct leafcutter_file_identity file, void *cursor, const void *key, size_t count);

/* cursor->get_key and cursor->get_value of a cursor whose key and value are texts. */
int leafcutter_get_texts(void *get_key, void *get_value, void *cursor, const char **key,
                         const char **value);

/* cursor->get_value of a statistics cursor. */
int leafcutter_get_statistic(void *get_value, void *cursor, const char **description,
                             uint64_t *value);

/* recvmsg(2) without waiting. *descriptor is the descriptor that comes along (close-on-exec), or -1;
 * further ones are closed. Returns the bytes read, 0 at end of stream, or a negative errno. */
ssize_t leafcutter_receive(int socket, void *buffer, size_t size, int *descriptor);

/* Whether this process has a table of the database in that directory open for direct I/O (O_DIRECT). */
bool leafcutter_reads_directly(const char *directory);

/* eventfd(2), non-blocking and close-on-exec. */
int leafcutter_extension_eventfd(void);

/* The regular files that this process has open, at most `capacity` of them. Returns how many there are, or
 * SIZE_MAX where they cannot be looked at. */
size_t leafcutter_open_files(struct leafcutter_file_identity *out, size_t capacity);

/* How many descriptors this process has open; -1 where it has none left to count them with. */
int leafcutter_count_descriptors(void);

/* Blocks every signal in the calling thread but those that a thread's own fault raises; threads it creates
 * inherit that. Returns the old mask for leafcutter_restore_signals. */
void *leafcutter_block_signals(void);
void leafcutter_restore_signals(void *mask);

/* Whether this process may still map a new thread's stack and so many bytes beside it. */
bool leafcutter_has_room_for_thread(size_t beside);

/* Names the calling thread (15 characters). */
void leafcutter_extension_name_thread(const char *name);

/* Reads and writes one word of a handle's function table; other threads may call through it. */
void *leafcutter_slot(const void *handle, int slot);
void leafcutter_set_slot(void *handle, int slot, void *function);

/* The hold library's functions, all of them or none (dlsym, RTLD_DEFAULT). */
struct leafcutter_hold_functions {
  int (*abi)(void);
  int (*check)(const char **what);
  int (*check_move)(void);
  leafcutter_refuse_reads refuse_reads;
  int (*open)(size_t capacity, size_t most, size_t filling);
  int (*close)(void);
  int (*pin)(size_t piece_bytes, uint64_t longest);
  size_t (*pieces)(struct leafcutter_hold_piece *out, size_t max);
  int (*ring)(void);
  int (*release)(void);
  int (*release_piece)(uint64_t address);
  const char *(*allocator)(void);
  int (*purge)(void);
  size_t (*kept_free)(void);
  int (*set_mark)(int memfd);
  int (*at_destination)(void);
  int (*abandon)(void);
  void (*get_stats)(struct leafcutter_hold_stats *out);
  void (*read_apart)(int on);
  void (*time_reads)(int on);
  void (*get_read_times)(struct leafcutter_hold_read_times *out);
  int64_t (*refused_read)(void);
};
bool leafcutter_find_hold(struct leafcutter_hold_functions *out);

/* What leafcutter_hold_check and leafcutter_hold_check_move answer. */
struct leafcutter_kernel_answers {
  int check;
  const char *what; /* a constant of the hold library */
  int check_move;   /* 0 where `check` is not */
};
void leafcutter_ask_kernel(const struct leafcutter_hold_functions *hold, struct leafcutter_kernel_answers *out);

/* The same, asked by a child of this process: 0, ECHILD where it did not come back with an answer, or the errno for
 * which there is no child. The program sees neither the child nor its end. */
int leafcutter_ask_kernel_in_child(const struct leafcutter_hold_functions *hold,
                                   struct leafcutter_kernel_answers *out);

#endif
