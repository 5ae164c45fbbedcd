/* Linux calls that Swift's Glibc module does not carry (raw system calls, ancillary data, _GNU_SOURCE),
 * and ordered access to a page that other processes write too. Functions return -1 and set errno, as
 * the calls they stand for, unless they say otherwise. */
#ifndef LEAFCUTTER_GUEST_SYSTEM_H
#define LEAFCUTTER_GUEST_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An epoll(7) descriptor that becomes readable once for each change of a file's readiness, also where
 * the file hangs up all the time; close-on-exec. */
int leafcutter_guest_watch_changes(int file);
/* Makes it unreadable again; 1 if it was readable. */
int leafcutter_guest_take_change(int watch);
/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t leafcutter_guest_monotonic_ns(void);

/* A memfd of one page that nobody can shrink or grow, close-on-exec. */
int leafcutter_guest_page_memfd(const char *name);
/* Pins memory for as long as the returned descriptor, or a duplicate of it, is open: an io_uring with
 * one registered buffer. The caller must be allowed to lock that much. */
int leafcutter_guest_pin(void *address, size_t length);

/* 64-bit words of a shared page; sequentially consistent. */
void leafcutter_guest_store_word(void *page, size_t offset, uint64_t value);
uint64_t leafcutter_guest_load_word(const void *page, size_t offset);
/* Replaces `expected` by `wanted`; false where the word is another one. */
bool leafcutter_guest_exchange_word(void *page, size_t offset, uint64_t expected, uint64_t wanted);
/* Everything written before is visible before anything that follows. */
void leafcutter_guest_fence(void);

/* Becomes readable when somebody in this machine begins to load a kernel for kexec or to start one, before a
 * byte of it is written; NULL with errno where the kernel lets nobody watch that. The descriptor is the
 * watch's own. */
struct leafcutter_guest_kexec_watch;
struct leafcutter_guest_kexec_watch *leafcutter_guest_watch_kexec(void);
int leafcutter_guest_kexec_watch_descriptor(const struct leafcutter_guest_kexec_watch *watch);
/* Makes it unreadable again. */
void leafcutter_guest_take_kexec(const struct leafcutter_guest_kexec_watch *watch);
void leafcutter_guest_end_kexec_watch(struct leafcutter_guest_kexec_watch *watch);
int leafcutter_guest_online_processors(void);

/* The pid of a unix socket's other end when it connected (SO_PEERCRED), or -1. */
pid_t leafcutter_guest_peer_pid(int socket);
/* The user is the one at the time of connect(2), or of listen(2) at the other end. */
bool leafcutter_guest_peer_is_root(int socket);
/* A pidfd of that process: SO_PEERPIDFD (Linux 6.5), which cannot name a later process of the same
 * number, or pidfd_open(2). */
int leafcutter_guest_peer_pidfd(int socket);
int leafcutter_guest_pidfd_open(pid_t pid);
/* pidfd_getfd(2), close-on-exec. */
int leafcutter_guest_take_descriptor(int pidfd, int descriptor);
/* Whether a descriptor of this process is an io_uring. */
bool leafcutter_guest_is_ring(int descriptor);
/* Lets a process lock as much memory as it wants (prlimit(2), RLIMIT_MEMLOCK). */
int leafcutter_guest_unlimit_memlock(pid_t pid);

/* Whether this process is offered userfaultfd with UFFDIO_MOVE (Linux 6.8), PAGEMAP_SCAN (6.7) and
 * io_uring: 0 or an errno value, ENOSYS where the kernel has no such thing. */
int leafcutter_guest_check_move(void);
int leafcutter_guest_check_scan(void);
int leafcutter_guest_check_ring(void);

/* Sends without blocking and without SIGPIPE; a descriptor other than -1 goes with the first byte. */
ssize_t leafcutter_guest_send(int socket, const void *bytes, size_t count, int descriptor);
/* Receives without blocking. *descriptor is a descriptor that came along (close-on-exec), or -1;
 * further ones are closed. */
ssize_t leafcutter_guest_receive(int socket, void *bytes, size_t count, int *descriptor);

/* A unix stream socket, non-blocking, close-on-exec: listening, or connected. */
int leafcutter_guest_listen_unix(const char *path);
int leafcutter_guest_connect_unix(const char *path);
/* accept4(2), non-blocking, close-on-exec. */
int leafcutter_guest_accept(int listener);
/* A pair of connected unix stream sockets, non-blocking, close-on-exec. */
int leafcutter_guest_socketpair(int ends[2]);

/* Starts executable with the arguments (NULL at the end); `inherited` is its descriptor 3, and it has
 * no others than 0 to 3. Signals are as at a program's start. Returns the pid. */
pid_t leafcutter_guest_spawn(const char *executable, char *const arguments[], int inherited);

/* Writes back the dirty pages of a part of a file, without a journal commit, and waits (sync_file_range(2)). */
int leafcutter_guest_write_back(int file, int64_t offset, int64_t length);
/* Private anonymous memory, zero-filled and present; NULL when it cannot be had. */
void *leafcutter_guest_populated_memory(size_t length);

#endif
