#include "proxy_system.h"

#include <sys/socket.h>
#include <time.h>

int leafcutter_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }

uint64_t leafcutter_thread_cpu_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
