/* What is in the documents. */
#include <stdio.h>
#include <string.h>

#include "database.h"

uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

void make_key(char *key, uint64_t number) {
  snprintf(key, KEY_SIZE, "user%016" PRIx64, mix(number + 1));
}

void make_value(char *value, uint64_t number) {
  uint64_t state = mix(number + 77);
  for (size_t i = 0; i + 1 < VALUE_SIZE; i++) {
    if (i % 2 == 0) state = mix(state);
    value[i] = (char)('a' + (i % 4 < 2 ? state % 26 : number % 26));
  }
  value[VALUE_SIZE - 1] = 0;
}

bool has_content(WT_CURSOR *documents, uint64_t number, uint64_t content) {
  char key[KEY_SIZE], value[VALUE_SIZE];
  const char *stored;
  make_key(key, number);
  make_value(value, content);
  documents->set_key(documents, key);
  bool good = documents->search(documents) == 0 &&
              documents->get_value(documents, &stored) == 0 && strcmp(stored, value) == 0;
  documents->reset(documents);
  return good;
}

bool is_good(WT_CURSOR *documents, uint64_t number) {
  return has_content(documents, number, number);
}
