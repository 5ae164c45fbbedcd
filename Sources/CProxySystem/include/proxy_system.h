/* Linux calls that Swift's Glibc module does not carry (they need _GNU_SOURCE or their own header). */
#ifndef LEAFCUTTER_PROXY_SYSTEM_H
#define LEAFCUTTER_PROXY_SYSTEM_H

#include <stdint.h>

/* accept4(2) without an address, close-on-exec. */
int leafcutter_accept(int listener);
/* CPU time of the calling thread in nanoseconds. */
uint64_t leafcutter_thread_cpu_ns(void);

#endif
