/* A kernel for kexec(8) that does nothing but lie in memory, to see what becomes of that. */
#ifndef LEAFCUTTER_STORE_SYSTEM_H
#define LEAFCUTTER_STORE_SYSTEM_H

/* Its first segment begins there, and the others at this distance; each word holds its own physical address,
 * but for the very first, which stops the processor. */
#define LEAFCUTTER_KERNEL_START 0x4000000ul
#define LEAFCUTTER_KERNEL_SEGMENTS 16
#define LEAFCUTTER_KERNEL_SEGMENT (2ul << 20)
#define LEAFCUTTER_KERNEL_STRIDE (32ul << 20)

/* kexec_load(2); 0 or an errno value. */
int leafcutter_store_load_kernel(void);

/* Unloads it again; 0 or an errno value. */
int leafcutter_store_unload_kernel(void);

/* Starts it, and ends no process first. Returns where that is refused, with an errno value. */
int leafcutter_store_start_kernel(void);

#endif
