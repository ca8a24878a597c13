/* Paths that are another file in another process. */
#ifndef RELAY_OWN_PATH_H
#define RELAY_OWN_PATH_H

#include "text.h"

/*
 * Whether an absolute path leads through the files of this very process: /proc/self, /proc/thread-self, /proc/PID with its
 * own number, and whatever links there, as /dev/fd does. False for what does not exist or is too long: nobody can open it.
 */
bool leads_to_own_process(struct span path);

#endif
