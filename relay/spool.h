/* Requests that are kept for a daemon that is away. */
#ifndef RELAY_SPOOL_H
#define RELAY_SPOOL_H

#include "text.h"

enum { SPOOL_ENTRIES_MAX = 1024 };

/*
 * Keeps the request as one file in the folder `<socket path>.spool`, which is made when it is missing and must belong
 * to the caller alone. False: `why` has been given the reason, as a sentence for the person who reads the error.
 */
bool spool_write(const char *socket_path, struct span head, struct span body, struct text *why);

#endif
