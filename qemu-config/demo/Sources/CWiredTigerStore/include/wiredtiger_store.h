#ifndef LEAFCUTTER_WIREDTIGER_STORE_H
#define LEAFCUTTER_WIREDTIGER_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <wiredtiger.h>

// WiredTiger's cursors take and give keys and values through variadic members, which Swift cannot
// call: one wrapper for each shape that the store uses. WiredTiger keeps the pointers it is given
// until the operation that follows, and those it gives are good until the cursor moves.

void leafcutter_store_set_key_id(WT_CURSOR *cursor, int64_t id);
void leafcutter_store_set_key_string(WT_CURSOR *cursor, const char *key);
void leafcutter_store_set_key_number(WT_CURSOR *cursor, int32_t number);
void leafcutter_store_set_value_id(WT_CURSOR *cursor, int64_t id);
void leafcutter_store_set_value_bytes(WT_CURSOR *cursor, const void *bytes, size_t count);

int leafcutter_store_get_key_id(WT_CURSOR *cursor, int64_t *id);
int leafcutter_store_get_key_string(WT_CURSOR *cursor, const char **key);
int leafcutter_store_get_value_id(WT_CURSOR *cursor, int64_t *id);
int leafcutter_store_get_value_string(WT_CURSOR *cursor, const char **value);
int leafcutter_store_get_value_bytes(WT_CURSOR *cursor, const void **bytes, size_t *count);
// The value of a statistics cursor: description, printed form and number; the number is wanted.
int leafcutter_store_get_statistic(WT_CURSOR *cursor, int64_t *value);

// Names the calling thread for ps and top (15 characters); prctl is variadic.
void leafcutter_store_name_thread(const char *name);

#endif
