/* Text in buffers of fixed size: the relay allocates nothing. */
#ifndef RELAY_TEXT_H
#define RELAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that belong to somebody else; not ended by a NUL. */
struct span {
    const char *data;
    size_t len;
};

/* Text that grows in a buffer until the buffer is full; then `full` is set and the rest is dropped. */
struct text {
    char *data;
    size_t size;
    size_t used;
    bool full;
};

/* An empty text in the array BUFFER (not a pointer). */
#define TEXT_IN(buffer) ((struct text){.data = (buffer), .size = sizeof(buffer), .used = 0, .full = false})

struct span span_of(const char *string);
bool span_equals(struct span span, const char *string);

void text_char(struct text *text, char byte);
void text_span(struct text *text, struct span span);
void text_string(struct text *text, const char *string);
/* Decimal, with zeros in front up to `width` digits. */
void text_number(struct text *text, uint64_t number, unsigned width);
/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void text_json(struct text *text, struct span span);
/* Ends the text with a NUL that is not counted (the last byte gives way when the buffer is full). */
const char *text_end(struct text *text);
struct span text_as_span(const struct text *text);

/* Bytes of the UTF-8 character that `at` begins with (RFC 3629 section 4), 0 when it is none. */
size_t utf8_length(struct span at);

/*
 * The buffers are static and larger than what is in them, so that AddressSanitizer alone would not see a read behind
 * the used part. The test build therefore fences off the unused rest; in the release nothing is left of this.
 */
#if defined(__has_feature) /* clang's */
#if __has_feature(address_sanitizer)
#define FENCED
#endif
#elif defined(__SANITIZE_ADDRESS__) /* gcc's */
#define FENCED
#endif
#if defined(FENCED)
#include <sanitizer/asan_interface.h>
#define FENCE(buffer, used)                                                                                  \
    do {                                                                                                     \
        ASAN_UNPOISON_MEMORY_REGION((buffer), sizeof(buffer));                                               \
        ASAN_POISON_MEMORY_REGION((buffer) + (used), sizeof(buffer) - (used));                               \
    } while (0)
#else
#define FENCE(buffer, used) ((void)(buffer), (void)(used))
#endif

#endif
