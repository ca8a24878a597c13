/* The head of the HTTP request that carries the CNI call to the daemon. */
#ifndef RELAY_REQUEST_H
#define RELAY_REQUEST_H

#include "text.h"

enum {
    PLUGIN_MAX = 255, /* NAME_MAX of Linux: no file has a longer name */
    ENVIRONMENT_MAX = 32 * 1024,
    /* Percent-encoding makes three bytes of one; the rest is for what does not vary. */
    REQUEST_HEAD_MAX = 3 * (ENVIRONMENT_MAX + PLUGIN_MAX) + 1024,
};

/* A CNI_* variable that cannot be carried. */
struct variable_refusal {
    const char *variable;
    const char *reason; /* what is wrong with it, as the end of a sentence */
};

/* Builds the head from the environment; `head` needs REQUEST_HEAD_MAX bytes. */
bool request_head(struct text *head, const char *plugin, size_t body_len, struct variable_refusal *refusal);

#endif
