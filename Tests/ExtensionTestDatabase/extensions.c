/* What the test database can load into WiredTiger from its own program
 * (WIREDTIGER_CONFIG='extensions=[local={entry=NAME}]'). */
#include <stddef.h>
#include <string.h>
#include <wiredtiger.h>

int test_disguise(WT_CONNECTION *connection, WT_CONFIG_ARG *config);
int test_encryptor(WT_CONNECTION *connection, WT_CONFIG_ARG *config);

/* Makes this an engine that nobody knows: as many methods as ever, two of them in each other's place. */
int test_disguise(WT_CONNECTION *connection, WT_CONFIG_ARG *config) {
  (void)config;
  void *reconfigure, **first = (void **)connection;
  size_t one = offsetof(WT_CONNECTION, reconfigure) / sizeof(void *);
  size_t other = offsetof(WT_CONNECTION, configure_method) / sizeof(void *);
  reconfigure = first[one];
  first[one] = first[other];
  first[other] = reconfigure;
  return 0;
}

static int convert(WT_ENCRYPTOR *encryptor, WT_SESSION *session, uint8_t *from, size_t length,
                   uint8_t *to, size_t room, size_t *result) {
  (void)encryptor, (void)session, (void)room;
  for (size_t i = 0; i < length; i++) to[i] = from[i] ^ 0x5a;
  *result = length;
  return 0;
}

static int no_expansion(WT_ENCRYPTOR *encryptor, WT_SESSION *session, size_t *bytes) {
  (void)encryptor, (void)session;
  *bytes = 0;
  return 0;
}

/* Encrypts, though not well; as "test". */
int test_encryptor(WT_CONNECTION *connection, WT_CONFIG_ARG *config) {
  static WT_ENCRYPTOR encryptor = {.encrypt = convert, .decrypt = convert, .sizing = no_expansion};
  (void)config;
  return connection->add_encryptor(connection, "test", &encryptor, NULL);
}
