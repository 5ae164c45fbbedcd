#include "store_system.h"

#include <errno.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* hlt, and a jump back to it. */
static const unsigned char program[8] = {0xf4, 0xeb, 0xfd};

static int load(unsigned long entry, unsigned long count, struct kexec_segment *segments) {
  return syscall(SYS_kexec_load, entry, count, segments, (unsigned long)KEXEC_ARCH_DEFAULT) ? errno : 0;
}

int leafcutter_store_load_kernel(void) {
  struct kexec_segment segments[LEAFCUTTER_KERNEL_SEGMENTS];
  uint64_t *words = malloc(LEAFCUTTER_KERNEL_SEGMENTS * LEAFCUTTER_KERNEL_SEGMENT);
  if (!words) return errno;
  uint64_t *next = words;
  for (int i = 0; i < LEAFCUTTER_KERNEL_SEGMENTS; i++) {
    uint64_t place = LEAFCUTTER_KERNEL_START + (uint64_t)i * LEAFCUTTER_KERNEL_STRIDE;
    segments[i] = (struct kexec_segment){next, LEAFCUTTER_KERNEL_SEGMENT, (void *)place,
                                         LEAFCUTTER_KERNEL_SEGMENT};
    for (uint64_t at = 0; at < LEAFCUTTER_KERNEL_SEGMENT; at += sizeof *next) *next++ = place + at;
  }
  memcpy(words, program, sizeof program);
  int code = load(LEAFCUTTER_KERNEL_START, LEAFCUTTER_KERNEL_SEGMENTS, segments);
  free(words);
  return code;
}

int leafcutter_store_unload_kernel(void) { return load(0, 0, NULL); }

int leafcutter_store_start_kernel(void) {
  syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
  return errno;
}
