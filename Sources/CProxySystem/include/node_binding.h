/* Where threads and memory are, and who is at the other end of a socket: sched(7), set_mempolicy(2), unix(7). */
#ifndef LEAFCUTTER_NODE_BINDING_H
#define LEAFCUTTER_NODE_BINDING_H

#include <stddef.h>

/* IFNAMSIZ of net/if.h, with the zero at the end. */
#define LEAFCUTTER_INTERFACE_NAME 16

/* Has the calling thread run on these processors only, by their numbers. 0 or -1 with errno. */
int leafcutter_run_on(const int *processors, size_t count);
/* Has the calling thread's new memory come from a node while it has some. 0 or -1 with errno. */
int leafcutter_prefer_node(int node);
/* The process that listened on the other end of a unix socket, or -1. */
int leafcutter_peer(int socket);
/* The name of the interface with a TCP socket's own address. 0 or -1. */
int leafcutter_interface(int socket, char *name, size_t size);

#endif
