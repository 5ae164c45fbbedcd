#include "proxy_system.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

int leafcutter_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int leafcutter_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }

void leafcutter_name_thread(const char *name) {
  char shortened[16];
  snprintf(shortened, sizeof shortened, "%s", name);
  pthread_setname_np(pthread_self(), shortened);
}

uint64_t leafcutter_thread_cpu_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
