/* The library has no interface: it replaces functions of libc. What it counts is in call_counts.h. */
