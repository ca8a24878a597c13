/* The daemon's answer as it arrives, piece by piece (RFC 9112); as much of HTTP/1.1 as it needs. */
#ifndef RELAY_ANSWER_H
#define RELAY_ANSWER_H

#include "text.h"

/* The fuzzing has smaller ones: it reaches their ends, and the fences around what has come cost less. */
#ifndef RELAY_ANSWER_KIB
#define RELAY_ANSWER_KIB 4096
#endif

enum {
    ANSWER_HEAD_MAX = 16 * 1024,
    ANSWER_BODY_MAX = RELAY_ANSWER_KIB * 1024,
};

struct answer {
    unsigned status;
    struct span body; /* lies in a static buffer */
    bool counted;     /* Content-Length vouches for the body's end, not only the closing of the connection */
};

/* What is known of the answer so far; begins as zeros. There is one at a time. */
struct reply {
    size_t used;     /* bytes that came */
    size_t head_len; /* with the empty line; 0 while that has not come */
    unsigned status;
    bool has_length;
    size_t length;
};

enum progress { GOING_ON, COMPLETE, BROKEN };

/*
 * The place for the next bytes, `*size` of them at least and never 0 while the reply is GOING_ON. What is put there counts
 * with reply_take only.
 */
char *reply_room(const struct reply *reply, size_t *size);

/* So many bytes came. BROKEN: no answer can be made of them, `*why` says why. */
enum progress reply_take(struct reply *reply, size_t count, const char **why);

/* The connection was closed. COMPLETE or BROKEN, as reply_take. */
enum progress reply_end(const struct reply *reply, const char **why);

/* The answer of a reply that is COMPLETE. */
struct answer reply_answer(const struct reply *reply);

#endif
