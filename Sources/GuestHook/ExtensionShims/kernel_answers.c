/* What the kernel lets this process do of what a hold takes, asked in a child where a filter may end whoever
 * asks. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "extension_shims.h"

/* System calls that nobody filters who lets programs run at all are no slower than this. */
#define PATIENCE_MS 5000

static void answer(const struct leafcutter_hold_functions *hold, struct leafcutter_kernel_answers *out) {
  out->what = NULL;
  out->check = hold->check(&out->what);
  out->check_move = out->check ? 0 : hold->check_move();
}

void leafcutter_ask_kernel(const struct leafcutter_hold_functions *hold, struct leafcutter_kernel_answers *out) {
  answer(hold, out);
}

/* The child has one thread of a program of many: system calls only. */
static void answer_in_child(const struct leafcutter_hold_functions *hold, int file) {
  /* It leaves no core dump, not even to a program that takes them (core(5)). */
  struct rlimit none = {1, 1};
  setrlimit(RLIMIT_CORE, &none);
  struct sigaction end = {.sa_handler = SIG_DFL};
  sigaction(SIGSYS, &end, NULL);
  struct leafcutter_kernel_answers answers;
  answer(hold, &answers);
  syscall(SYS_write, file, &answers, sizeof answers);
  syscall(SYS_exit_group, 0);
}

int leafcutter_ask_kernel_in_child(const struct leafcutter_hold_functions *hold,
                                   struct leafcutter_kernel_answers *out) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) return errno;
  /* No fork(2), whose handlers are the program's; and no signal at its end, which the program would see. */
  pid_t child = (pid_t)syscall(SYS_clone, 0ul, NULL, NULL, NULL, 0ul);
  int failed = child < 0 ? errno : 0;
  if (child == 0) answer_in_child(hold, ends[1]);
  close(ends[1]);
  if (child > 0) {
    struct pollfd end = {.fd = ends[0], .events = POLLIN};
    if (poll(&end, 1, PATIENCE_MS) != 1 || read(ends[0], out, sizeof *out) != sizeof *out) failed = ECHILD;
    kill(child, SIGKILL);
    while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR) {
    }
  }
  close(ends[0]);
  return failed;
}
