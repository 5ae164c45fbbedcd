/* Linux calls that Swift's Glibc module does not carry (they need _GNU_SOURCE or their own header). */
#ifndef LEAFCUTTER_THREADS_H
#define LEAFCUTTER_THREADS_H

/* eventfd(2), non-blocking, close-on-exec. */
int leafcutter_eventfd(void);
/* Names the calling thread: 15 characters at most. */
void leafcutter_name_thread(const char *name);

/* Whether the signal's disposition is SIG_IGN, which Swift cannot compare with. */
int leafcutter_signal_is_ignored(int number);

#endif
