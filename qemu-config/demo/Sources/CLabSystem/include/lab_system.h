/* Starting a program: posix_spawn(3) wants objects and lists of strings that Swift can only hold by
 * unsafe pointers. */
#ifndef LEAFCUTTER_LAB_SYSTEM_H
#define LEAFCUTTER_LAB_SYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Starts the program whose arguments lie one after the other in `arguments`, each ended by a zero
 * byte, `size` bytes in all; the first is looked for in PATH. Standard input is /dev/null, standard
 * output and error go to a new file `log`. The program gets a process group of its own and no blocked
 * signals.
 *
 * Gives the process id, or the negative errno. */
pid_t leafcutter_spawn(const char *arguments, size_t size, const char *log);

#endif
