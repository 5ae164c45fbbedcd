/* System calls whose macros or structures Swift does not see, and the hold library's symbols. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "extension_shims.h"

#define MAXIMUM_DESCRIPTORS 8

ssize_t leafcutter_receive(int socket, void *buffer, size_t size, int *descriptor) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(MAXIMUM_DESCRIPTORS * sizeof(int))];
  } control;
  struct iovec data = {buffer, size};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control};
  *descriptor = -1;
  ssize_t count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) return -errno;
  for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t descriptors = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < descriptors; i++) {
      int received;
      memcpy(&received, CMSG_DATA(part) + i * sizeof received, sizeof received);
      if (*descriptor >= 0)
        close(received);
      else
        *descriptor = received;
    }
  }
  return count;
}

bool leafcutter_reads_directly(const char *directory) {
  DIR *descriptors = opendir("/proc/self/fd");
  size_t prefix = strlen(directory);
  bool found = false;
  if (!descriptors) return false;
  for (struct dirent *entry; !found && (entry = readdir(descriptors));) {
    char path[PATH_MAX];
    ssize_t length = readlinkat(dirfd(descriptors), entry->d_name, path, sizeof path);
    if (length < 3 || (size_t)length <= prefix || memcmp(path, directory, prefix) != 0 ||
        path[prefix] != '/' || memcmp(path + length - 3, ".wt", 3) != 0)
      continue;
    int flags = fcntl(atoi(entry->d_name), F_GETFL);
    found = flags >= 0 && (flags & O_DIRECT);
  }
  closedir(descriptors);
  return found;
}

int leafcutter_extension_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void *leafcutter_block_signals(void) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
  sigset_t all, *old = malloc(sizeof *old);
  if (!old) return NULL;
  sigfillset(&all);
  /* Where one of these is blocked, the fault ends the program, whatever handler it has. */
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&all, faults[i]);
  pthread_sigmask(SIG_SETMASK, &all, old);
  return old;
}

void leafcutter_restore_signals(void *mask) {
  if (!mask) return;
  pthread_sigmask(SIG_SETMASK, mask, NULL);
  free(mask);
}

bool leafcutter_has_room_for_thread(size_t beside) {
  pthread_attr_t attributes;
  size_t stack = 0;
  if (pthread_getattr_default_np(&attributes)) return false;
  pthread_attr_getstacksize(&attributes, &stack);
  pthread_attr_destroy(&attributes);
  /* Not through the hold library, which catches what is unmapped. */
  void *room = (void *)syscall(SYS_mmap, NULL, stack + beside, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
  if (room == MAP_FAILED) return false;
  syscall(SYS_munmap, room, stack + beside);
  return true;
}

void leafcutter_extension_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

bool leafcutter_find_hold(struct leafcutter_hold_functions *out) {
  const struct {
    const char *name;
    size_t offset;
  } wanted[] = {
#define WANTED(function) \
  {"leafcutter_hold_" #function, offsetof(struct leafcutter_hold_functions, function)}
      WANTED(abi),     WANTED(check),    WANTED(refuse_reads), WANTED(open),    WANTED(close),
      WANTED(pin),     WANTED(pieces),   WANTED(ring),       WANTED(release), WANTED(allocator),
      WANTED(purge),   WANTED(kept_free), WANTED(set_mark), WANTED(abandon), WANTED(get_stats),
      WANTED(at_destination),          WANTED(read_apart), WANTED(time_reads),
      WANTED(get_read_times), WANTED(release_piece), WANTED(check_move),
      WANTED(refused_read),
#undef WANTED
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    void *function = dlsym(RTLD_DEFAULT, wanted[i].name);
    if (!function) return false;
    memcpy((char *)out + wanted[i].offset, &function, sizeof function);
  }
  return true;
}

size_t leafcutter_open_files(struct leafcutter_file_identity *out, size_t capacity) {
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return SIZE_MAX;
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(directory));) {
    struct stat about;
    if (entry->d_name[0] == '.' || fstat(atoi(entry->d_name), &about) || !S_ISREG(about.st_mode)) continue;
    if (count < capacity) out[count] = (struct leafcutter_file_identity){about.st_dev, about.st_ino};
    count++;
  }
  closedir(directory);
  return count;
}

int leafcutter_count_descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return -1;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory));)
    if (entry->d_name[0] != '.') count++;
  closedir(directory);
  /* Without its own. */
  return count - 1;
}
