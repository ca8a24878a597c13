/* A JSON checker and finder (RFC 8259) without recursion, so that no input can exhaust the stack. */
#ifndef RELAY_JSON_H
#define RELAY_JSON_H

#include "text.h"

enum {
    /* The deepest text that is looked into at all: as deep as 1 MiB of stdin can nest. */
    JSON_DEPTH_MAX = 1 << 20,
};

/* Whether the text is exactly one JSON object in valid UTF-8 that nests at most `depth` levels. */
bool json_is_object(struct span text, size_t depth);

/*
 * Finds a member of an object that json_is_object has accepted, or of a value inside (false when that is no object);
 * members of inner objects do not count.
 * Of two with one name the last counts, as for the daemon's JSON.parse. The span is the value's own text.
 */
bool json_member(struct span object, const char *name, struct span *value);

/* The same as Go's encoding/json takes a name for a key of a struct: the case of its letters does not count. */
bool json_member_folded(struct span object, const char *name, struct span *value);

bool json_is_string(struct span value);

/* Decodes a string value. False when it is none, or holds half a surrogate pair, which UTF-8 cannot say. */
bool json_decode(struct span value, struct text *out);

#endif
