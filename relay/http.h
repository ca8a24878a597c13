/* One HTTP/1.1 request over a UNIX socket (RFC 9112), as much of it as the daemon's answers need. */
#ifndef RELAY_HTTP_H
#define RELAY_HTTP_H

#include "answer.h"
#include "text.h"

/* Why there is no answer. */
struct failure {
    const char *what;
    int error;      /* errno, 0 when the system has no part in it */
    bool connected; /* somebody answered: the daemon may have the request, or a part of it */
    bool unread;    /* whoever listened went away and had not read all of the request: nothing was begun */
    bool impostor;  /* the process that listens there is not the daemon's: nothing was sent to it */
    int64_t user;   /* then whose it is, PEER_UNKNOWN where that cannot be told */
};

/* Sends head and body, reads the whole answer. False: there is none that can be trusted, `failure` says why. */
bool http_exchange(const char *path, struct span head, struct span body, int64_t deadline, struct answer *answer,
                   struct failure *failure);

#endif
