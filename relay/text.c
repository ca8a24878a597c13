#include "text.h"

#include <string.h>

enum { DECIMAL_DIGITS = 20 }; /* of 2^64 - 1 */

struct span span_of(const char *string) {
    return (struct span){.data = string, .len = strlen(string)};
}

bool span_equals(struct span span, const char *string) {
    return span.len == strlen(string) && memcmp(span.data, string, span.len) == 0;
}

void text_char(struct text *text, char byte) {
    if (text->used == text->size) {
        text->full = true;
        return;
    }
    text->data[text->used] = byte;
    text->used += 1;
}

void text_span(struct text *text, struct span span) {
    size_t room = text->size - text->used;
    size_t count = span.len < room ? span.len : room;
    if (count > 0)
        memcpy(text->data + text->used, span.data, count);
    text->used += count;
    if (count < span.len)
        text->full = true;
}

void text_string(struct text *text, const char *string) {
    text_span(text, span_of(string));
}

void text_number(struct text *text, uint64_t number, unsigned width) {
    char digits[DECIMAL_DIGITS];
    size_t first = sizeof(digits);
    do {
        first -= 1;
        digits[first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t have = sizeof(digits) - first; have < width; have += 1)
        text_char(text, '0');
    text_span(text, (struct span){.data = digits + first, .len = sizeof(digits) - first});
}

void text_json(struct text *text, struct span span) {
    static const char hex[] = "0123456789abcdef";
    text_char(text, '"');
    for (size_t at = 0; at < span.len;) {
        unsigned char byte = (unsigned char)span.data[at];
        size_t length = utf8_length((struct span){.data = span.data + at, .len = span.len - at});
        if (length == 0) {
            text_string(text, "\\ufffd");
            length = 1;
        } else if (byte < 0x20) {
            text_string(text, "\\u00");
            text_char(text, hex[byte >> 4]);
            text_char(text, hex[byte & 0xf]);
        } else {
            if (byte == '"' || byte == '\\')
                text_char(text, '\\');
            text_span(text, (struct span){.data = span.data + at, .len = length});
        }
        at += length;
    }
    text_char(text, '"');
}

const char *text_end(struct text *text) {
    if (text->used == text->size) {
        text->full = true;
        text->used -= 1;
    }
    text->data[text->used] = '\0';
    return text->data;
}

struct span text_as_span(const struct text *text) {
    return (struct span){.data = text->data, .len = text->used};
}

static bool continues(struct span at, size_t index, unsigned char low, unsigned char high) {
    unsigned char byte = (unsigned char)at.data[index];
    return byte >= low && byte <= high;
}

size_t utf8_length(struct span at) {
    if (at.len == 0)
        return 0;
    unsigned char first = (unsigned char)at.data[0];
    if (first < 0x80)
        return 1;
    size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length == 0 || length > at.len)
        return 0;
    /* The second byte's range shuts out overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (!continues(at, 1, low, high))
        return 0;
    for (size_t index = 2; index < length; index += 1) {
        if (!continues(at, index, 0x80, 0xbf))
            return 0;
    }
    return length;
}
