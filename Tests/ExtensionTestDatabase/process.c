/* The process itself: what it may not do, its children and its mappings. */
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../Sources/GuestHook/Hold/kernel_abi.h"
#include "database.h"

/* With an errno, or as systemd's SystemCallFilter= does it: the process is ended. */
static void refuse_call(unsigned number, bool kills) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kills ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | 1 /* EPERM */),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof program[0], program};
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "seccomp");
}

/* As a kernel that does not know the ioctl: its file says ENOTTY. */
static void refuse_scan(void) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)PAGEMAP_SCAN, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 25 /* ENOTTY */),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof program / sizeof program[0], program};
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "seccomp");
}

/* Root may lock what it likes, as long as it has this capability. */
static void limit_locked_memory(rlim_t bytes) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  struct rlimit limit = {bytes, bytes};
  check((int)syscall(SYS_capget, &header, data), "capget");
  data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &= ~CAP_TO_MASK(CAP_IPC_LOCK);
  data[CAP_TO_INDEX(CAP_IPC_LOCK)].permitted &= ~CAP_TO_MASK(CAP_IPC_LOCK);
  check((int)syscall(SYS_capset, &header, data), "capset");
  check(setrlimit(RLIMIT_MEMLOCK, &limit), "setrlimit");
}

/* As a server does that is started by root; its files in /proc stay root's. */
static void become_nobody(void) {
  const unsigned nobody = 65534;
  check(setgroups(0, NULL), "setgroups");
  check(setresgid(nobody, nobody, nobody), "setresgid");
  check(setresuid(nobody, nobody, nobody), "setresuid");
}

/* All that is mapped from now on is locked, as far as the limit allows. */
static void lock_memory(void) { check(mlockall(MCL_CURRENT | MCL_FUTURE), "mlockall"); }

void refuse(void) {
  const char *what = getenv("TEST_DATABASE_REFUSES");
  if (!what) return;
  if (strstr(what, "swapping")) lock_memory();
  if (strstr(what, "root")) become_nobody();
  bool kills = strstr(what, "kill");
  if (strstr(what, "io_uring")) refuse_call(SYS_io_uring_setup, kills);
  if (strstr(what, "userfaultfd")) refuse_call(SYS_userfaultfd, kills);
  if (strstr(what, "pagemap_scan")) refuse_scan();
  if (strstr(what, "memlock")) limit_locked_memory(1 << 20);
}

static pid_t child;

/* fork: a child that has all memory in common, and writes to some of its own until `endchild` */
void fork_child(const char *argument) {
  (void)argument;
  fflush(stdout);
  pid_t parent = getpid();
  child = fork();
  if (child != 0) {
    printf("ok %d\n", child);
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (uint64_t round = 0; getppid() == parent; round++) {
    char *memory = malloc(4 << 20);
    if (memory) memset(memory, (int)round, 4 << 20);
    free(memory);
    usleep(1000);
  }
  _exit(0);
}

/* endchild: "ok 1" where it was alive until now */
void end_child(const char *argument) {
  int status = 0;
  (void)argument;
  /* Not SIGTERM, which this process may have been started with blocked. */
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  printf("ok %d\n", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* mappings LEFT: makes so many that the kernel allows only about LEFT more; "ok MADE" */
void use_up_mappings(const char *argument) {
  size_t left = strtoul(argument, NULL, 10), page = 4096, room = 70000, made = 0, again = 0;
  char *area = mmap(NULL, room * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED) check(1, "mmap");
  /* Every second page with other rights: neighbours cannot be one mapping. */
  while (made < room / 2 && mprotect(area + made * 2 * page, page, PROT_READ) == 0) made++;
  for (; again < left / 2 && again < made; again++)
    mprotect(area + (made - 1 - again) * 2 * page, page, PROT_NONE);
  printf("ok %zu\n", made - again);
}

/* nothreads: no further thread is to be had, as where TasksMax is reached; not for root, whom no limit binds */
void refuse_threads(const char *argument) {
  struct rlimit limit;
  (void)argument;
  getrlimit(RLIMIT_NPROC, &limit);
  limit.rlim_cur = 1;
  check(setrlimit(RLIMIT_NPROC, &limit), "setrlimit");
  printf("ok\n");
}

/* threads: as many as ever */
void allow_threads(const char *argument) {
  struct rlimit limit;
  (void)argument;
  getrlimit(RLIMIT_NPROC, &limit);
  limit.rlim_cur = limit.rlim_max;
  check(setrlimit(RLIMIT_NPROC, &limit), "setrlimit");
  printf("ok\n");
}

/* space MB: it is granted no more address space than that beside what it has (RLIMIT_AS) */
void limit_address_space(const char *argument) {
  struct rlimit limit;
  size_t pages = 0;
  FILE *sizes = fopen("/proc/self/statm", "r");
  check(!sizes || fscanf(sizes, "%zu", &pages) != 1, "statm");
  fclose(sizes);
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = pages * 4096 + (strtoul(argument, NULL, 10) << 20);
  check(setrlimit(RLIMIT_AS, &limit), "setrlimit");
  printf("ok\n");
}

#define MOST_FILES 1024
static int files[MOST_FILES], file_count;

/* files: opens /dev/null until there is no descriptor left of 1024; "ok OPENED" */
void use_up_descriptors(const char *argument) {
  struct rlimit limit;
  (void)argument;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = MOST_FILES;
  check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
  while (file_count < MOST_FILES && (files[file_count] = open("/dev/null", O_RDONLY)) >= 0) file_count++;
  printf("ok %d\n", file_count);
}

/* nofiles: closes them */
void free_descriptors(const char *argument) {
  (void)argument;
  while (file_count > 0) close(files[--file_count]);
  printf("ok\n");
}
