#define _GNU_SOURCE /* memmem */
#include "answer.h"

#include <string.h>
#include <strings.h>

static char received[ANSWER_HEAD_MAX + ANSWER_BODY_MAX];

static bool fail(const char **why, const char *what) {
    *why = what;
    return false;
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* HTTP/1.1 200 OK; the words at its end mean nothing. */
static bool parse_status(struct span line, struct reply *reply) {
    static const char start[] = "HTTP/1.";
    enum { MINOR = sizeof(start) - 1, CODE = MINOR + 2, LEAST = CODE + 3 };
    if (line.len < LEAST || memcmp(line.data, start, MINOR) != 0)
        return false;
    const char *code = line.data + CODE;
    bool good = (line.data[MINOR] == '0' || line.data[MINOR] == '1') && line.data[MINOR + 1] == ' ' &&
                is_digit(code[0]) && is_digit(code[1]) && is_digit(code[2]) &&
                (line.len == LEAST || line.data[LEAST] == ' ');
    if (!good)
        return false;
    reply->status = (unsigned)(code[0] - '0') * 100 + (unsigned)(code[1] - '0') * 10 + (unsigned)(code[2] - '0');
    return true;
}

static bool parse_length(struct span value, struct reply *reply, const char **why) {
    /* Two of them are how a request is smuggled past one of two readers (RFC 9112 section 6.3): never take a choice. */
    if (reply->has_length || value.len == 0)
        return fail(why, "the daemon's answer has no single, valid Content-Length");
    size_t length = 0;
    for (size_t at = 0; at < value.len; at += 1) {
        if (!is_digit(value.data[at]))
            return fail(why, "the daemon's answer has a Content-Length that is not a number");
        length = length * 10 + (size_t)(value.data[at] - '0');
        if (length > ANSWER_BODY_MAX)
            return fail(why, "the daemon's answer is larger than 4 MiB");
    }
    reply->has_length = true;
    reply->length = length;
    return true;
}

static bool name_is(struct span name, const char *wanted) {
    return name.len == strlen(wanted) && strncasecmp(name.data, wanted, name.len) == 0;
}

static struct span trimmed(struct span value) {
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = (struct span){.data = value.data + 1, .len = value.len - 1};
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len -= 1;
    return value;
}

static bool parse_field(struct span line, struct reply *reply, const char **why) {
    static const char malformed[] = "the daemon's answer has a malformed header";
    const char *colon = memchr(line.data, ':', line.len);
    if (colon == NULL || colon == line.data)
        return fail(why, malformed);
    struct span name = {.data = line.data, .len = (size_t)(colon - line.data)};
    for (size_t at = 0; at < line.len; at += 1) {
        unsigned char byte = (unsigned char)line.data[at];
        bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        /* A blank in a name also means a folded line (RFC 9112 section 5.2). */
        if (control || (at < name.len && (byte == ' ' || byte == '\t')))
            return fail(why, malformed);
    }
    struct span value = trimmed((struct span){.data = colon + 1, .len = line.len - name.len - 1});
    if (name_is(name, "Transfer-Encoding"))
        return fail(why, "the daemon's answer has a Transfer-Encoding, which is not understood here");
    return name_is(name, "Content-Length") ? parse_length(value, reply, why) : true;
}

static bool parse_head(struct reply *reply, const char **why) {
    const char *at = received;
    const char *end = received + reply->head_len - 2; /* the lines, each with its CR LF */
    for (bool first = true; at < end; first = false) {
        const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (stop == NULL)
            return fail(why, "the daemon's answer has a malformed header");
        struct span line = {.data = at, .len = (size_t)(stop - at)};
        if (first && !parse_status(line, reply))
            return fail(why, "the daemon's answer is not HTTP/1.1");
        if (!first && !parse_field(line, reply, why))
            return false;
        at = stop + 2;
    }
    return true;
}

static bool find_head(struct reply *reply, const char **why) {
    static const char empty_line[] = "\r\n\r\n";
    size_t searched = reply->used < ANSWER_HEAD_MAX ? reply->used : ANSWER_HEAD_MAX;
    const char *found = memmem(received, searched, empty_line, sizeof(empty_line) - 1);
    if (found != NULL) {
        reply->head_len = (size_t)(found - received) + sizeof(empty_line) - 1;
        return parse_head(reply, why);
    }
    return searched < ANSWER_HEAD_MAX ? true : fail(why, "the daemon's answer has a head larger than 16 KiB");
}

static bool is_complete(const struct reply *reply) {
    return reply->head_len > 0 && reply->has_length && reply->used >= reply->head_len + reply->length;
}

char *reply_room(const struct reply *reply, size_t *size) {
    FENCE(received, sizeof(received));
    *size = sizeof(received) - reply->used;
    return received + reply->used;
}

enum progress reply_take(struct reply *reply, size_t count, const char **why) {
    reply->used += count;
    FENCE(received, reply->used);
    if (reply->head_len == 0 && !find_head(reply, why))
        return BROKEN;
    if (is_complete(reply))
        return COMPLETE;
    if (reply->head_len > 0 && reply->used - reply->head_len > ANSWER_BODY_MAX) {
        (void)fail(why, "the daemon's answer is larger than 4 MiB");
        return BROKEN;
    }
    return GOING_ON;
}

enum progress reply_end(const struct reply *reply, const char **why) {
    if (reply->head_len > 0 && !reply->has_length)
        return COMPLETE;
    (void)fail(why, reply->used == 0 ? "the daemon closed the connection without an answer"
                                     : "the daemon closed the connection in the middle of its answer");
    return BROKEN;
}

struct answer reply_answer(const struct reply *reply) {
    size_t rest = reply->used - reply->head_len;
    return (struct answer){
        .status = reply->status,
        .body = {.data = received + reply->head_len, .len = reply->has_length ? reply->length : rest},
        .counted = reply->has_length,
    };
}
