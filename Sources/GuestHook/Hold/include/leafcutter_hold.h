/* libleafcutter_hold: preloaded into the database process (LD_PRELOAD, before the allocator).
 *
 * It stands in for madvise(2) and pread(2). Outside a hold window it passes every call on.
 * Inside one, the present anonymous pages of every range that the allocator gives back are moved
 * (mremap, or UFFDIO_MOVE of Linux 6.8 for short runs) into one hold area instead of being freed, so that
 * their frames stay allocated and keep their place in guest memory. The frames are then pinned by an io_uring
 * with registered buffers, in pieces, so that the guardian can own a duplicate of the ring.
 *
 * The WiredTiger extension finds these functions by dlsym(RTLD_DEFAULT, …) and works without them.
 * All functions return 0 or an errno value unless they say otherwise. None of them throws, logs or
 * allocates from the process's allocator inside a hold window. Those that open, close, pin, release or abandon
 * a hold or set its mark are for its owner, one call at a time; all others, and the interposed ones, are for any
 * thread. A child that the process forks has nothing of a hold, and nothing by which its frames would stay
 * pinned. Only what is just being moved, or what the program gives back when it has forked, it shares with its
 * parent: of that the pin takes copies, and those are held.
 */
#ifndef LEAFCUTTER_HOLD_H
#define LEAFCUTTER_HOLD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LEAFCUTTER_HOLD_ABI 6

struct leafcutter_hold_piece {
  uint64_t address; /* in this process */
  uint64_t length;  /* bytes, a multiple of the page size */
};

struct leafcutter_hold_stats {
  uint64_t calls;       /* give-backs seen inside the window */
  uint64_t moved_bytes; /* moved into the hold area */
  uint64_t move_ns;     /* time spent moving */
  uint64_t failures;    /* ranges that could not be moved and went to the kernel instead */
  int32_t last_errno;   /* why the last of them failed */
  int32_t pieces;       /* pinned now */
  uint64_t pinned_bytes;
};

/* LEAFCUTTER_HOLD_ABI of the loaded library. */
int leafcutter_hold_abi(void);

/* Whether frames can be held here at all: 0, or why not (ENOSYS not there, EPERM not allowed, …). *what is
 * set to a static text naming the missing thing. Without UFFDIO_MOVE (Linux 6.8) runs below 16 KiB are not
 * held and count as failures with ENOSYS. */
int leafcutter_hold_check(const char **what);

/* Whether single pages can be moved, by UFFDIO_MOVE: 0, ENOSYS where the kernel has none, or why it refuses
 * userfaultfd(2). This and leafcutter_hold_check make the calls that they ask for, and a filter (seccomp) may end
 * the program for one. */
int leafcutter_hold_check_move(void);

/* From now on the calling thread's pread(2)s of one file fail with ENODATA and read nothing; with inode 0 no
 * file's do. Only that file's: in the middle of a search the engine may write a page out, for which it reads
 * others, such as its history store, and one that cannot be read there ends the database (WT_PANIC). */
void leafcutter_hold_refuse_reads(uint64_t device, uint64_t inode);

/* Where the first of the calling thread's reads would have begun that have been refused since a file was named
 * last, in bytes from the start of that file; -1 where none has. */
int64_t leafcutter_hold_refused_read(void);

/* While on is set for the calling thread, its pread(2)s do not count among the program's own. */
void leafcutter_hold_read_apart(int on);

/* From the first call with on to the last without, of which there must be as many, the program's own pread(2)s
 * are counted and timed. */
void leafcutter_hold_time_reads(int on);

struct leafcutter_hold_read_times {
  uint64_t begun; /* more than ended: some go on */
  uint64_t ended;
  uint64_t taken_ns; /* by those that ended, together */
};

/* Since the library was loaded. */
void leafcutter_hold_get_read_times(struct leafcutter_hold_read_times *out);

/* Opens the window: reserves a hold area of capacity bytes of address space and begins to catch, most bytes of
 * memory altogether; what is given back beyond them goes to the kernel and counts as a failure with ENOMEM. Pages
 * with small holes between them are moved together, which needs far fewer mappings and TLB flushes, and
 * the holes are filled: with filling bytes of memory at most, and 0 has every run moved by itself. */
int leafcutter_hold_open(size_t capacity, size_t most, size_t filling);

/* Stops catching; what was caught stays held. */
int leafcutter_hold_close(void);

/* Pins all that was caught since the last pin, in pieces of piece_bytes at most. What cannot be pinned (memory
 * that the program had made read-only) goes back to the kernel, and counts as a failure; where a limit is met,
 * or longest nanoseconds have passed (ETIME), all that is left goes back. For every huge page the kernel looks
 * through all that the ring has pinned (io_uring/rsrc.c, headpage_already_acct), so the time grows with the
 * square of that. */
int leafcutter_hold_pin(size_t piece_bytes, uint64_t longest);

/* Copies up to max pinned pieces to out, in the order of their buffer slots in the ring; returns how
 * many there are. */
size_t leafcutter_hold_pieces(struct leafcutter_hold_piece *out, size_t max);

/* The io_uring's descriptor, or -1 where nothing is pinned. */
int leafcutter_hold_ring(void);

/* Unpins the piece that begins at the address and gives its memory back to the kernel. */
int leafcutter_hold_release_piece(uint64_t address);

/* Closes the window if it is open, unpins everything, unmaps the area and closes the ring. */
int leafcutter_hold_release(void);

/* The allocator that serves this process: "jemalloc", "tcmalloc" (gperftools' or google/tcmalloc) or "glibc".
 * glibc's malloc gives memory back without going through the interposed functions, so with it nothing is caught.
 * The first call looks it up (dlsym), and none after that. */
const char *leafcutter_hold_allocator(void);

/* Asks that allocator to give back all the free memory it keeps. */
int leafcutter_hold_purge(void);

/* Bytes of free memory that it keeps all the same; 0 where it does not tell. */
size_t leafcutter_hold_kept_free(void);

/* Maps the mark page (Sources/HookLink/MarkPage.swift) from the guardian's memfd; the descriptor may
 * be closed afterwards. A later call replaces it. */
int leafcutter_hold_set_mark(int memfd);

/* 1 where the mark page says that the guest runs at its migration's destination, so that nobody can drop
 * a page any more; else 0. */
int leafcutter_hold_at_destination(void);

/* For a library whose guardian is gone: writes RELEASED into the mark page, fences, and only then
 * does what leafcutter_hold_release does. Without a mark page it only releases. */
int leafcutter_hold_abandon(void);

void leafcutter_hold_get_stats(struct leafcutter_hold_stats *out);

#ifdef __cplusplus
}
#endif
#endif
