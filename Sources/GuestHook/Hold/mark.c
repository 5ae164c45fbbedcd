/* The mark page, as far as this library reads and writes it: see Sources/HookLink/MarkPage.swift. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold_area.h"
#include "leafcutter_hold.h"

/* MarkPage.Offset.state and MarkPage.State.released. */
#define STATE_OFFSET 32
#define STATE_RELEASED 0x44455341454c4552ull

/* MarkPage.Offset.nonce and .verdict; the verdict is its signature and the migration's nonce. */
#define NONCE_OFFSET 16
#define VERDICT_OFFSET 64
#define SIGNATURE_SIZE 16
#define NONCE_SIZE 16

/* A rule that keeps pages from being lost. In a debug build a test that has this library in its own
 * process switches it off, to see that pages are lost without it. */
#ifdef DEBUG
int leafcutter_hold_says_released_first = 1;
#else
enum { leafcutter_hold_says_released_first = 1 };
#endif

static void *mark;

int leafcutter_hold_set_mark(int memfd) {
  /* The last argument goes over the stack, where syscall(2) reads 64 bits: an int has half of them. */
  void *page = (void *)syscall(SYS_mmap, NULL, HOLD_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
                               (off_t)0);
  if (page == MAP_FAILED) return errno;
  if (mark) syscall(SYS_munmap, mark, HOLD_PAGE);
  mark = page;
  return 0;
}

void hold_forget_mark(void) { mark = NULL; }

int leafcutter_hold_at_destination(void) {
  static const char signature[SIGNATURE_SIZE] = "at destination";
  if (!mark) return 0;
  /* Not written while this guest runs: it is there when the guest arrives, or it never is. */
  const char *page = mark, *verdict = page + VERDICT_OFFSET;
  return !memcmp(verdict, signature, SIGNATURE_SIZE) &&
         !memcmp(verdict + SIGNATURE_SIZE, page + NONCE_OFFSET, NONCE_SIZE);
}

int leafcutter_hold_abandon(void) {
  if (mark && leafcutter_hold_says_released_first) {
    _Atomic uint64_t *state = (_Atomic uint64_t *)((char *)mark + STATE_OFFSET);
    atomic_store(state, STATE_RELEASED);
    /* The word is in memory before any frame can be somebody else's. */
    atomic_thread_fence(memory_order_seq_cst);
  }
  return leafcutter_hold_release();
}
