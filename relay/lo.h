/* The interface `lo` of a network namespace. */
#ifndef RELAY_LO_H
#define RELAY_LO_H

#include "addresses.h"
#include "cni.h"
#include "text.h"

/* Why something could not be done. */
struct lo_failure {
    enum cni_code code;
    const char *what;
    int error; /* an errno, 0 where there is none */
    bool gone; /* there is no namespace at the path, so nothing that could be undone */
};

struct lo {
    int socket; /* of rtnetlink, in the namespace */
    int index;
    short flags;
};

/*
 * Moves this process, which has one thread, to the network namespace at the path. Its own one is refused unless
 * `own_too`: that is the node's, whose `lo` nobody wants to be set down.
 */
bool enter_namespace(const char *path, bool own_too, struct lo_failure *failure);

/* Finds `lo` in the namespace of this process. */
bool lo_open(struct lo *lo, struct lo_failure *failure);

bool lo_is_up(const struct lo *lo);

bool lo_set(struct lo *lo, bool up, struct lo_failure *failure);

/* The first address of each family that is one of loopback (RFC 6890). */
bool lo_read_addresses(const struct lo *lo, struct lo_addresses *addresses, struct lo_failure *failure);

#endif
