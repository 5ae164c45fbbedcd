/* pread(2): made to fail for a thread that probes, and timed for the others while leaves are read back.
 * It runs in any thread of the program. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "hold_area.h"
#include "leafcutter_hold.h"

static __thread int reads_apart;
/* The file whose reads are refused, and where the first of them would have begun. */
static __thread uint64_t refused_device, refused_inode;
static __thread int64_t refused = -1;

/* How many want the program's reads timed: each database of a program may. */
static atomic_int timing;
static atomic_uint_fast64_t begun, ended, taken_ns;

void leafcutter_hold_refuse_reads(uint64_t device, uint64_t inode) {
  refused_device = device;
  refused_inode = inode;
  if (inode) refused = -1;
}

int64_t leafcutter_hold_refused_read(void) { return refused; }

void leafcutter_hold_read_apart(int on) { reads_apart = on; }

void leafcutter_hold_time_reads(int on) {
  atomic_fetch_add_explicit(&timing, on ? 1 : -1, memory_order_relaxed);
}

void leafcutter_hold_get_read_times(struct leafcutter_hold_read_times *out) {
  /* A read that ends in between is counted as one that goes on. */
  out->ended = atomic_load(&ended);
  out->taken_ns = atomic_load(&taken_ns);
  out->begun = atomic_load(&begun);
}

static ssize_t read_timed(int file, void *buffer, size_t count, off_t offset) {
  atomic_fetch_add_explicit(&begun, 1, memory_order_relaxed);
  uint64_t start = hold_now();
  ssize_t result = syscall(SYS_pread64, file, buffer, count, offset);
  int error = errno;
  uint64_t end = hold_now();
  atomic_fetch_add(&taken_ns, end > start ? end - start : 0);
  atomic_fetch_add(&ended, 1);
  errno = error;
  return result;
}

static bool is_refused(int file, off_t offset) {
  struct stat about;
  if (fstat(file, &about) || about.st_ino != refused_inode || about.st_dev != refused_device) return false;
  if (refused < 0) refused = offset;
  return true;
}

ssize_t pread(int file, void *buffer, size_t count, off_t offset) {
  if (__builtin_expect(refused_inode != 0, 0) && is_refused(file, offset)) {
    errno = ENODATA;
    return -1;
  }
  if (__builtin_expect(atomic_load_explicit(&timing, memory_order_relaxed) > 0, 0) && !reads_apart)
    return read_timed(file, buffer, count, offset);
  return syscall(SYS_pread64, file, buffer, count, offset);
}

ssize_t pread64(int file, void *buffer, size_t count, off64_t offset)
    __attribute__((alias("pread")));
