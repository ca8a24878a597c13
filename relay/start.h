/* Signs of a daemon that is on its way. */
#ifndef RELAY_START_H
#define RELAY_START_H

#include <stdbool.h>

/*
 * Whether a daemon that cannot be connected to (`error` of connect(2)) is starting or was there a moment ago: somebody
 * holds the lock `<socket path>.lock`, which the daemon takes as the first thing in its life; or the socket is there and
 * nobody listens, as after a daemon that was killed or an agent that was stopped, until the next one takes it over.
 */
bool is_starting(const char *socket_path, int error);

#endif
