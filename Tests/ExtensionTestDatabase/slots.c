/* Where methods lie by the header that this is compiled with. */
#include <dlfcn.h>
#include <stdio.h>

#include "database.h"

/* methods: "ok OPEN_SESSION CLOSE", 1 where it is the engine's own */
void print_owners(const char *argument) {
  Dl_info engine, open_session, close;
  (void)argument;
  check(!dladdr((void *)wiredtiger_version, &engine) ||
            !dladdr((void *)connection->open_session, &open_session) ||
            !dladdr((void *)connection->close, &close),
        "dladdr");
  printf("ok %d %d\n", open_session.dli_fbase == engine.dli_fbase,
         close.dli_fbase == engine.dli_fbase);
}

void print_slots(const char *argument) {
  (void)argument;
#define WORD(type, member) (offsetof(type, member) / sizeof(void *))
  const size_t words[] = {
      WORD(WT_CONNECTION, close), WORD(WT_CONNECTION, reconfigure), WORD(WT_CONNECTION, get_home),
      WORD(WT_CONNECTION, open_session), WORD(WT_CONNECTION, rollback_to_stable),
      sizeof(WT_CONNECTION) / sizeof(void *),
      WORD(WT_SESSION, app_private) + 1, WORD(WT_SESSION, close), WORD(WT_SESSION, open_cursor),
      WORD(WT_SESSION, checkpoint), sizeof(WT_SESSION) / sizeof(void *),
      WORD(WT_CURSOR, value_format) + 1, WORD(WT_CURSOR, get_key), WORD(WT_CURSOR, get_value),
      WORD(WT_CURSOR, set_key), WORD(WT_CURSOR, next), WORD(WT_CURSOR, reset),
      WORD(WT_CURSOR, search_near), WORD(WT_CURSOR, close), WORD(WT_CURSOR, reopen) + 1};
  printf("ok");
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) printf(" %zu", words[i]);
  printf("\n");
}
