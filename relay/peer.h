/* Who is on the other side of a UNIX socket. */
#ifndef RELAY_PEER_H
#define RELAY_PEER_H

#include <stdbool.h>
#include <stdint.h>

enum { PEER_UNKNOWN = -1 };

/*
 * Whether the process that listens at this path, and that `fd` is connected to, may speak for the daemon: it is root's,
 * or the owner's of the folder in which the socket lies. False: `*user` is whose it is, or PEER_UNKNOWN.
 */
bool peer_is_trusted(int fd, const char *path, int64_t *user);

/* Whether the folder in which the path lies is there, and neither root's nor the caller's: nothing in it is safe. */
bool folder_is_foreign(const char *path);

#endif
