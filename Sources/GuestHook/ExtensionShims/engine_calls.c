/* Calls of WiredTiger methods that Swift cannot make: variadic ones, and the probe, whose thread-local
 * flag must be set for exactly one call. */
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <wiredtiger.h>

#include "extension_shims.h"

struct code_search {
  uintptr_t reference, address;
  bool found;
};

static int search_module(struct dl_phdr_info *module, size_t size, void *argument) {
  struct code_search *search = argument;
  bool has_reference = false, has_address = false;
  (void)size;
  for (int i = 0; i < module->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &module->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
    uintptr_t start = module->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;
    has_reference |= search->reference >= start && search->reference < end;
    has_address |= search->address >= start && search->address < end;
  }
  search->found = has_reference && has_address;
  return has_reference;
}

bool leafcutter_same_code(const void *reference, const void *address) {
  struct code_search search = {(uintptr_t)reference, (uintptr_t)address, false};
  dl_iterate_phdr(search_module, &search);
  return search.found;
}

const char *leafcutter_engine_version(const void *reference, int *major, int *minor, int *patch) {
  Dl_info module;
  if (!dladdr(reference, &module) || !module.dli_fname) return NULL;
  /* NULL names the program itself, for a database that is linked with the engine statically. */
  void *handle = dlopen(module.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) handle = dlopen(NULL, RTLD_LAZY);
  if (!handle) return NULL;
  const char *(*version)(int *, int *, int *) =
      (const char *(*)(int *, int *, int *))dlsym(handle, "wiredtiger_version");
  const char *text = version ? version(major, minor, patch) : NULL;
  dlclose(handle);
  return text;
}

static int quiet_error(WT_EVENT_HANDLER *handler, WT_SESSION *session, int error,
                       const char *message) {
  (void)handler, (void)session, (void)error, (void)message;
  return 0;
}

static int quiet_message(WT_EVENT_HANDLER *handler, WT_SESSION *session, const char *message) {
  (void)handler, (void)session, (void)message;
  return 0;
}

void *leafcutter_quiet_handler(void) {
  /* Later engines have more callbacks in this structure; they find NULL there. */
  static struct {
    WT_EVENT_HANDLER known;
    void *later[8];
  } handler = {.known = {.handle_error = quiet_error, .handle_message = quiet_message}};
  return &handler;
}

typedef void (*set_key_method)(void *, ...);
typedef int (*get_method)(void *, ...);

void leafcutter_set_raw_key(void *set_key, void *cursor, const void *bytes, size_t count) {
  WT_ITEM item = {.data = bytes, .size = count};
  ((set_key_method)set_key)(cursor, &item);
}

int leafcutter_visit(void *set_key, void *search_near, void *reset, void (*fail_reads)(int),
                     void *cursor, const void *key, size_t count) {
  int exact;
  leafcutter_set_raw_key(set_key, cursor, key, count);
  if (fail_reads) fail_reads(1);
  int result = ((int (*)(void *, int *))search_near)(cursor, &exact);
  if (fail_reads) fail_reads(0);
  if (result == 0) result = ((int (*)(void *))reset)(cursor);
  return result;
}

int leafcutter_get_texts(void *get_key, void *get_value, void *cursor, const char **key,
                         const char **value) {
  int result = ((get_method)get_key)(cursor, key);
  return result ? result : ((get_method)get_value)(cursor, value);
}

int leafcutter_get_statistic(void *get_value, void *cursor, const char **description,
                             uint64_t *value) {
  const char *printable;
  return ((get_method)get_value)(cursor, description, &printable, value);
}

void *leafcutter_slot(const void *handle, int slot) {
  return atomic_load((_Atomic(void *) *)((uintptr_t)handle + (uintptr_t)slot * sizeof(void *)));
}

void leafcutter_set_slot(void *handle, int slot, void *function) {
  atomic_store((_Atomic(void *) *)((uintptr_t)handle + (uintptr_t)slot * sizeof(void *)), function);
}
