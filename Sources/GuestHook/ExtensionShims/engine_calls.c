/* Calls of WiredTiger methods that Swift cannot make: variadic ones, and the probe, whose thread-local
 * flag must be set for exactly one call. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <wiredtiger.h>

#include "extension_shims.h"

const char *leafcutter_engine_version(const void *reference) {
  Dl_info module;
  if (!dladdr(reference, &module) || !module.dli_fname) return NULL;
  /* NULL names the program itself, for a database that is linked with the engine statically. */
  void *handle = dlopen(module.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) handle = dlopen(NULL, RTLD_LAZY);
  if (!handle) return NULL;
  const char *(*version)(int *, int *, int *) =
      (const char *(*)(int *, int *, int *))dlsym(handle, "wiredtiger_version");
  const char *text = version ? version(NULL, NULL, NULL) : NULL;
  dlclose(handle);
  return text;
}

static int quiet_error(WT_EVENT_HANDLER *handler, WT_SESSION *session, int error,
                       const char *message) {
  (void)handler, (void)session;
  switch (error) {
    case ENODATA: /* a read that was refused */
    case EINVAL:  /* a configuration that this engine has not, statistics that are off */
    case ENOTSUP: /* a checkpoint of a database that is only read */
    case ENOENT:
    case EBUSY:
      break;
    default: /* a damaged block, a panic: the engine's last words */
      fprintf(stderr, "leafcutter: WiredTiger says: %s\n", message);
  }
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

int leafcutter_visit(void *set_key, void *search_near, void *reset, leafcutter_refuse_reads refuse_reads,
                     struct leafcutter_file_identity file, void *cursor, const void *key, size_t count) {
  int exact;
  leafcutter_set_raw_key(set_key, cursor, key, count);
  if (refuse_reads) refuse_reads(file.device, file.inode);
  int result = ((int (*)(void *, int *))search_near)(cursor, &exact);
  if (refuse_reads) refuse_reads(0, 0);
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
