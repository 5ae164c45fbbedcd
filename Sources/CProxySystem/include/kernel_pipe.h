/* splice(2) and what goes with it; Swift's Glibc module does not carry them (they need _GNU_SOURCE). */
#ifndef LEAFCUTTER_KERNEL_PIPE_H
#define LEAFCUTTER_KERNEL_PIPE_H

#include <stddef.h>
#include <sys/types.h>

/* pipe2(2), close-on-exec, with room for `capacity` bytes where the system allows so much. 0 or -1. */
int leafcutter_pipe(int *read_end, int *write_end, int capacity);
/* splice(2) between descriptors without offsets, blocking. */
ssize_t leafcutter_splice(int from, int to, size_t count);
/* Takes up to `count` bytes out of a TCP socket and throws them away (recv(2), MSG_TRUNC). */
ssize_t leafcutter_discard_tcp(int socket, size_t count);
/* Opens /dev/null for writing, close-on-exec. */
int leafcutter_open_null(void);
/* Whether the socket is of the unix family. */
int leafcutter_is_unix(int socket);

#endif
