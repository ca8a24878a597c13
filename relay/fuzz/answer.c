/* The daemon's answer: it means the same in whatever pieces it arrives, and its body lies in what has arrived. */
#include "../answer.h"
#include "fuzz.h"

#include <string.h>

enum { PIECE_MAX = 255 };

struct outcome {
    enum progress progress;
    const char *why;
    struct reply reply;
};

/* As from a socket: in pieces of at most so many bytes, then closed. */
static struct outcome feed(const uint8_t *data, size_t size, size_t piece) {
    struct outcome outcome = {.progress = GOING_ON};
    for (size_t at = 0; at < size && outcome.progress == GOING_ON;) {
        size_t room = 0;
        char *place = reply_room(&outcome.reply, &room);
        HOLDS(room > 0);
        size_t count = size - at < piece ? size - at : piece;
        count = count < room ? count : room;
        memcpy(place, data + at, count);
        outcome.progress = reply_take(&outcome.reply, count, &outcome.why);
        at += count;
    }
    if (outcome.progress == GOING_ON)
        outcome.progress = reply_end(&outcome.reply, &outcome.why);
    HOLDS(outcome.progress != GOING_ON);
    HOLDS((outcome.progress == BROKEN) == (outcome.why != NULL));
    return outcome;
}

static void touch(struct span span) {
    unsigned sum = 0;
    for (size_t at = 0; at < span.len; at += 1)
        sum += (unsigned char)span.data[at];
    /* So that the reads are not left out. */
    __asm__ volatile("" : : "r"(sum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t piece = data[0] % PIECE_MAX + 1;
    struct outcome whole = feed(data + 1, size - 1, size);
    if (whole.progress == COMPLETE) {
        struct answer answer = reply_answer(&whole.reply);
        HOLDS(answer.status < 1000 && answer.body.len <= ANSWER_BODY_MAX && answer.counted == whole.reply.has_length);
        touch(answer.body);
    }
    struct outcome split = feed(data + 1, size - 1, piece);
    HOLDS(split.progress == whole.progress);
    if (whole.progress == BROKEN) {
        HOLDS(strcmp(split.why, whole.why) == 0);
        return 0;
    }
    struct answer answer = reply_answer(&split.reply);
    HOLDS(split.reply.status == whole.reply.status && split.reply.head_len == whole.reply.head_len);
    HOLDS(answer.body.len == (whole.reply.has_length ? whole.reply.length : size - 1 - whole.reply.head_len));
    touch(answer.body);
    return 0;
}
