/* What an operator asks of a database's allocator (tcmalloc's release rate, jemalloc's purge). */
#ifndef LEAFCUTTER_STORE_ALLOCATOR_H
#define LEAFCUTTER_STORE_ALLOCATOR_H

/* Has the allocator give its free pages back to the kernel: jemalloc where it is preloaded, else glibc. */
void leafcutter_store_purge_allocator(void);

#endif
