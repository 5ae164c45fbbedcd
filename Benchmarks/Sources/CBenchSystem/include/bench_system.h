/* Linux calls that Swift's Glibc module does not carry (variadic, or they need _GNU_SOURCE). */
#ifndef LEAFCUTTER_BENCH_SYSTEM_H
#define LEAFCUTTER_BENCH_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Starts a program whose output goes to the descriptor `log`; its number, or -1. `arguments` and
   `environment` end with NULL. The program has a process group of its own, no blocked signals, and is
   ended by SIGPIPE as if a shell had started it. */
pid_t bench_spawn(const char *path, char *const *arguments, char *const *environment, int log);
/* Whether a child has ended, or is none; its end is still to be collected. `waits` until it has. */
bool bench_has_ended(pid_t child, bool waits);

/* Counts the system calls of what this thread starts from now on, all its threads and children (a perf event,
   raw_syscalls:sys_enter). A descriptor, or -1 where the kernel does not allow it. */
int bench_count_system_calls(void);
/* How many there were so far; it goes on counting. */
uint64_t bench_system_calls(int counter);

/* A pipe with room for `capacity` bytes, as far as the system allows it. 0 or -1. */
int bench_pipe(int *read_end, int *write_end, int capacity);
/* splice(2), blocking. */
ssize_t bench_splice(int from, int to, size_t count);

/* A socket that listens on 127.0.0.1, with the kernel's buffers; port 0 becomes one that is free. -1 on
   failure. */
int bench_listen_tcp(uint16_t *port);
/* One that listens at a path. -1 on failure. */
int bench_listen_unix(const char *path);
/* accept4(2), close-on-exec. */
int bench_accept(int listener);
/* Small writes of a TCP socket go out at once; no effect on others. */
void bench_send_at_once(int socket);

/* Anonymous memory, in huge pages where the system has them, as QEMU asks for a guest; NULL on failure. */
void *bench_map_memory(size_t size);
/* Maps the beginning of a file, shared; NULL on failure. */
void *bench_map_file(const char *path, size_t size);

#endif
