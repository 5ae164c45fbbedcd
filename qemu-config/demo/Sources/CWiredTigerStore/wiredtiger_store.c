#include "wiredtiger_store.h"

#include <pthread.h>
#include <stdio.h>

void leafcutter_store_set_key_id(WT_CURSOR *cursor, int64_t id) { cursor->set_key(cursor, id); }

void leafcutter_store_set_key_string(WT_CURSOR *cursor, const char *key) {
  cursor->set_key(cursor, key);
}

void leafcutter_store_set_key_number(WT_CURSOR *cursor, int32_t number) {
  cursor->set_key(cursor, number);
}

void leafcutter_store_set_value_id(WT_CURSOR *cursor, int64_t id) { cursor->set_value(cursor, id); }

void leafcutter_store_set_value_bytes(WT_CURSOR *cursor, const void *bytes, size_t count) {
  WT_ITEM item = {.data = bytes, .size = count};
  cursor->set_value(cursor, &item);
}

int leafcutter_store_get_key_id(WT_CURSOR *cursor, int64_t *id) {
  return cursor->get_key(cursor, id);
}

int leafcutter_store_get_key_string(WT_CURSOR *cursor, const char **key) {
  return cursor->get_key(cursor, key);
}

int leafcutter_store_get_value_id(WT_CURSOR *cursor, int64_t *id) {
  return cursor->get_value(cursor, id);
}

int leafcutter_store_get_value_string(WT_CURSOR *cursor, const char **value) {
  return cursor->get_value(cursor, value);
}

int leafcutter_store_get_value_bytes(WT_CURSOR *cursor, const void **bytes, size_t *count) {
  WT_ITEM item = {0};
  int status = cursor->get_value(cursor, &item);
  *bytes = item.data;
  *count = item.size;
  return status;
}

int leafcutter_store_get_statistic(WT_CURSOR *cursor, int64_t *value) {
  const char *description, *printed;
  return cursor->get_value(cursor, &description, &printed, value);
}

void leafcutter_store_name_thread(const char *name) {
  char shortened[16];
  snprintf(shortened, sizeof shortened, "%s", name);
  pthread_setname_np(pthread_self(), shortened);
}
