/* Threads that give memory back at the very time at which the kernel has no mapping left: their mremap(2) is held
 * up (seccomp's user notification) until as many as come are in it, and then refused. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "database.h"

#define MOST_THREADS 128
#define RANGE (64ul << 10)
/* Milliseconds without another one: no more will come. */
#define PATIENCE 300

static pthread_t leader, answerer, givers[MOST_THREADS];
static unsigned long giver_count;
static atomic_int listener = -1;
static atomic_bool are_over;
static atomic_uint together;

/* Maps, touches and gives back, until a migration is on and all that came were held up together. */
static void *give_back(void *argument) {
  (void)argument;
  while (!are_over && together == 0) {
    char *range = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (range == MAP_FAILED) break;
    memset(range, 1, RANGE);
    madvise(range, RANGE, MADV_DONTNEED);
    munmap(range, RANGE);
    usleep(500);
  }
  return NULL;
}

/* Only this thread and those it starts are held up. */
static void *lead(void *argument) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof program[0], program};
  (void)argument;
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  int file = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                          &filter);
  check(file < 0 ? errno : 0, "seccomp");
  for (unsigned long i = 0; i < giver_count; i++)
    check(pthread_create(&givers[i], NULL, give_back, NULL), "pthread_create");
  listener = file;
  return NULL;
}

static void refuse_all(const uint64_t *ids, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    struct seccomp_notif_resp answer = {.id = ids[i], .error = -ENOMEM};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

static void *answer(void *argument) {
  uint64_t ids[MOST_THREADS];
  unsigned count = 0;
  (void)argument;
  while (!are_over) {
    struct pollfd item = {.fd = listener, .events = POLLIN};
    struct seccomp_notif request = {0};
    if (poll(&item, 1, PATIENCE) > 0 && count < MOST_THREADS) {
      if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0) ids[count++] = request.id;
      continue;
    }
    if (count > together) together = count;
    refuse_all(ids, count);
    count = 0;
  }
  refuse_all(ids, count);
  return NULL;
}

/* stall N: N threads give memory back from now on */
void start_stalling(const char *argument) {
  giver_count = strtoul(argument, NULL, 10);
  if (giver_count > MOST_THREADS) giver_count = MOST_THREADS;
  check(pthread_create(&leader, NULL, lead, NULL), "pthread_create");
  pthread_join(leader, NULL);
  check(pthread_create(&answerer, NULL, answer, NULL), "pthread_create");
  printf("ok\n");
}

/* nostall: ends them; "ok MOST", how many were in mremap at once */
void stop_stalling(const char *argument) {
  (void)argument;
  are_over = true;
  pthread_join(answerer, NULL);
  /* Nobody answers any more: what is asked now fails (ENOSYS). */
  close(listener);
  for (unsigned long i = 0; i < giver_count; i++) pthread_join(givers[i], NULL);
  printf("ok %u\n", (unsigned)together);
}
