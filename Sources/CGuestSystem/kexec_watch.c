/* Kernel probes in the two functions through which every start of another kernel goes (kernel/kexec_core.c):
 * kernel_kexec, which reboot(2) calls for LINUX_REBOOT_CMD_KEXEC, and sanity_check_segment_list, which
 * kexec_load(2) and kexec_file_load(2) call before they copy anything. The probes are perf's (perf_event_open(2),
 * the PMU "kprobe", Linux 4.17): they need no file of tracefs, and end with their descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest_system.h"

#define TYPE "/sys/bus/event_source/devices/kprobe/type"
/* What perf wants: one page of its own, and one for records, which nobody reads. */
#define RING (2ul * 4096)

static const char *const functions[] = {"kernel_kexec", "sanity_check_segment_list"};
#define FUNCTIONS (sizeof functions / sizeof *functions)

struct probe {
  int file;
  void *ring;
};

struct leafcutter_guest_kexec_watch {
  int changes;
  size_t count;
  struct probe probes[];
};

static int probe_type(void) {
  int type = -1;
  FILE *file = fopen(TYPE, "re");
  if (!file) return -1;
  if (fscanf(file, "%d", &type) != 1) type = -1;
  fclose(file);
  if (type < 0) errno = ENOENT;
  return type;
}

/* perf counts what happens on one processor, so each function is probed for each of them. */
static int open_probe(int type, const char *function, int processor, struct probe *probe) {
  struct perf_event_attr attributes = {
      .type = (uint32_t)type,
      .size = sizeof attributes,
      .kprobe_func = (uintptr_t)function,
      .sample_period = 1,
      .wakeup_events = 1,
  };
  probe->file = (int)syscall(SYS_perf_event_open, &attributes, -1, processor, -1, PERF_FLAG_FD_CLOEXEC);
  if (probe->file < 0) return -1;
  /* Mapped for reading only, the ring never fills up: what is old is written over. */
  probe->ring = mmap(NULL, RING, PROT_READ, MAP_SHARED, probe->file, 0);
  if (probe->ring != MAP_FAILED) return 0;
  int reason = errno;
  close(probe->file);
  errno = reason;
  return -1;
}

int leafcutter_guest_online_processors(void) { return (int)sysconf(_SC_NPROCESSORS_ONLN); }

struct leafcutter_guest_kexec_watch *leafcutter_guest_watch_kexec(void) {
  int type = probe_type();
  if (type < 0) return NULL;
  int processors = (int)sysconf(_SC_NPROCESSORS_CONF);
  struct leafcutter_guest_kexec_watch *watch =
      calloc(1, sizeof *watch + (size_t)processors * FUNCTIONS * sizeof *watch->probes);
  if (!watch) return NULL;
  watch->changes = epoll_create1(EPOLL_CLOEXEC);
  if (watch->changes < 0) goto failed;
  for (int processor = 0; processor < processors; processor++)
    for (size_t i = 0; i < FUNCTIONS; i++) {
      struct probe *probe = &watch->probes[watch->count];
      if (open_probe(type, functions[i], processor, probe)) {
        if (errno == ENODEV) continue; /* it is offline */
        goto failed;
      }
      watch->count++;
      /* Once for each change: a probe hangs up for ever when its processor goes offline. */
      struct epoll_event event = {.events = EPOLLIN | EPOLLET};
      if (epoll_ctl(watch->changes, EPOLL_CTL_ADD, probe->file, &event)) goto failed;
    }
  return watch;
failed:;
  int reason = errno;
  leafcutter_guest_end_kexec_watch(watch);
  errno = reason;
  return NULL;
}

int leafcutter_guest_kexec_watch_descriptor(const struct leafcutter_guest_kexec_watch *watch) {
  return watch->changes;
}

void leafcutter_guest_take_kexec(const struct leafcutter_guest_kexec_watch *watch) {
  struct epoll_event event;
  while (epoll_wait(watch->changes, &event, 1, 0) > 0) continue;
}

void leafcutter_guest_end_kexec_watch(struct leafcutter_guest_kexec_watch *watch) {
  for (size_t i = 0; i < watch->count; i++) {
    munmap(watch->probes[i].ring, RING);
    close(watch->probes[i].file);
  }
  if (watch->changes >= 0) close(watch->changes);
  free(watch);
}
