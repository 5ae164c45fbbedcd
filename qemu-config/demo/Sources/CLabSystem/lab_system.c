#include "lab_system.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

pid_t leafcutter_spawn(const char *arguments, size_t size, const char *log) {
  /* Every argument has at least its zero byte, so there are at most `size` of them. */
  char **list = calloc(size + 1, sizeof *list);
  if (list == NULL) return -ENOMEM;
  size_t count = 0;
  for (size_t at = 0; at < size; at += strnlen(arguments + at, size - at) + 1)
    list[count++] = (char *)(arguments + at);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log,
                                   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  int code = posix_spawnp(&pid, list[0], &actions, &attributes, list, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  free(list);
  return code == 0 ? pid : -code;
}
