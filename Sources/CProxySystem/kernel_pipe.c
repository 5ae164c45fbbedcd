#include "kernel_pipe.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int leafcutter_pipe(int *read_end, int *write_end, int capacity) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  /* A refusal leaves the default, which works as well. */
  (void)fcntl(ends[1], F_SETPIPE_SZ, capacity);
  *read_end = ends[0];
  *write_end = ends[1];
  return 0;
}

ssize_t leafcutter_splice(int from, int to, size_t count) {
  return splice(from, NULL, to, NULL, count, SPLICE_F_MOVE);
}

ssize_t leafcutter_discard_tcp(int socket, size_t count) {
  return recv(socket, NULL, count, MSG_TRUNC);
}

int leafcutter_open_null(void) { return open("/dev/null", O_WRONLY | O_CLOEXEC); }

int leafcutter_is_unix(int socket) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}
