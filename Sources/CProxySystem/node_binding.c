#include "node_binding.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/mempolicy.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int leafcutter_run_on(const int *processors, size_t count) {
  int highest = 0;
  for (size_t i = 0; i < count; i++) {
    if (processors[i] > highest) highest = processors[i];
  }
  cpu_set_t *set = CPU_ALLOC(highest + 1);
  if (set == NULL) return -1;
  size_t size = CPU_ALLOC_SIZE(highest + 1);
  CPU_ZERO_S(size, set);
  for (size_t i = 0; i < count; i++) CPU_SET_S(processors[i], size, set);
  /* 0 is the calling thread. */
  int result = sched_setaffinity(0, size, set);
  int code = errno;
  CPU_FREE(set);
  errno = code;
  return result;
}

int leafcutter_prefer_node(int node) {
  unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
  const int bits = 8 * sizeof *mask;
  if (node < 0 || node >= 1024) {
    errno = EINVAL;
    return -1;
  }
  mask[node / bits] |= 1ul << (node % bits);
  /* The kernel looks at one bit less than it is told. */
  return (int)syscall(SYS_set_mempolicy, MPOL_PREFERRED, mask, 1024ul + 1);
}

int leafcutter_peer(int socket) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
  return peer.pid > 0 ? peer.pid : -1;
}

static const void *address_of(const struct sockaddr *socket, size_t *size) {
  if (socket->sa_family == AF_INET) {
    *size = sizeof(struct in_addr);
    return &((const struct sockaddr_in *)socket)->sin_addr;
  }
  if (socket->sa_family == AF_INET6) {
    *size = sizeof(struct in6_addr);
    return &((const struct sockaddr_in6 *)socket)->sin6_addr;
  }
  return NULL;
}

int leafcutter_interface(int socket, char *name, size_t size) {
  struct sockaddr_storage own;
  socklen_t length = sizeof own;
  struct ifaddrs *all;
  size_t own_size, other_size;
  if (getsockname(socket, (struct sockaddr *)&own, &length) != 0) return -1;
  const void *address = address_of((struct sockaddr *)&own, &own_size);
  if (address == NULL || getifaddrs(&all) != 0) return -1;
  int result = -1;
  for (struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next) {
    if (entry->ifa_addr == NULL || entry->ifa_addr->sa_family != own.ss_family) continue;
    const void *other = address_of(entry->ifa_addr, &other_size);
    if (memcmp(address, other, own_size) != 0) continue;
    snprintf(name, size, "%s", entry->ifa_name);
    result = 0;
    break;
  }
  freeifaddrs(all);
  return result;
}
