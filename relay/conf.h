/* The two things that the relay itself must know from the network configuration on stdin. */
#ifndef RELAY_CONF_H
#define RELAY_CONF_H

#include "text.h"

#include <sys/un.h>

enum {
    /* With the NUL at its end (unix(7)). */
    SOCKET_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path),
    VERSION_SIZE = 16,
};

/* Why a socket path cannot be used. */
struct path_refusal {
    const char *key;    /* the variable or configuration key that holds it */
    const char *reason; /* "must ..." */
    unsigned code;      /* the CNI error code */
};

/*
 * The daemon's socket: LEASEHOLD_SOCKET, else `daemonSocketPath` of the configuration (inside `ipam` for the plugin
 * dhcp), else the default. A configuration that is not a JSON object names no socket: the daemon behind the default
 * one reports what is wrong with it, in better words than a scanner could.
 */
bool conf_socket(struct span conf, const char *plugin, char path[SOCKET_PATH_SIZE], struct path_refusal *refusal);

/* The configuration's cniVersion for error objects; "1.1.0" where it has none that looks like a version. */
void conf_version(struct span conf, char version[VERSION_SIZE]);

#endif
