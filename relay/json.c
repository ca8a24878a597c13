#include "json.h"

#include <string.h>

enum { NAME_SIZE = 64, BITS = 8 };

/* What is left to read. */
struct cursor {
    const char *at;
    const char *end;
};

/* One bit for each open bracket: set when it is an object's. 128 KiB, of which the kernel gives only pages in use. */
static unsigned char open_objects[JSON_DEPTH_MAX / BITS];

static void push(size_t depth, bool object) {
    unsigned char bit = (unsigned char)(1U << (depth % BITS));
    if (object)
        open_objects[depth / BITS] |= bit;
    else
        open_objects[depth / BITS] &= (unsigned char)~bit;
}

static bool is_object_at(size_t depth) {
    return (open_objects[depth / BITS] & 1U << (depth % BITS)) != 0;
}

static int peek(const struct cursor *in) {
    return in->at == in->end ? -1 : (unsigned char)*in->at;
}

static bool take(struct cursor *in, char byte) {
    if (peek(in) != byte)
        return false;
    in->at += 1;
    return true;
}

static void skip_space(struct cursor *in) {
    while (peek(in) == ' ' || peek(in) == '\t' || peek(in) == '\n' || peek(in) == '\r')
        in->at += 1;
}

/* The value of four hexadecimal digits, -1 when they are none. */
static int take_hex4(struct cursor *in) {
    int value = 0;
    for (int digit = 0; digit < 4; digit += 1) {
        int byte = peek(in);
        int nibble = byte >= '0' && byte <= '9'   ? byte - '0'
                     : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                     : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                  : -1;
        if (nibble < 0)
            return -1;
        value = value * 16 + nibble;
        in->at += 1;
    }
    return value;
}

static bool skip_escape(struct cursor *in) {
    int byte = peek(in);
    if (byte < 0)
        return false;
    in->at += 1;
    if (byte == 'u')
        return take_hex4(in) >= 0;
    return byte != '\0' && strchr("\"\\/bfnrt", byte) != NULL;
}

static bool skip_string(struct cursor *in) {
    if (!take(in, '"'))
        return false;
    while (!take(in, '"')) {
        size_t length = utf8_length((struct span){.data = in->at, .len = (size_t)(in->end - in->at)});
        if (length == 0 || (unsigned char)*in->at < 0x20)
            return false;
        bool escape = *in->at == '\\';
        in->at += length;
        if (escape && !skip_escape(in))
            return false;
    }
    return true;
}

static bool skip_digits(struct cursor *in) {
    const char *first = in->at;
    while (peek(in) >= '0' && peek(in) <= '9')
        in->at += 1;
    return in->at > first;
}

static bool skip_number(struct cursor *in) {
    (void)take(in, '-');
    if (!take(in, '0') && !skip_digits(in))
        return false;
    if (take(in, '.') && !skip_digits(in))
        return false;
    if (take(in, 'e') || take(in, 'E')) {
        if (!take(in, '+'))
            (void)take(in, '-');
        return skip_digits(in);
    }
    return true;
}

static bool skip_word(struct cursor *in, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

static bool skip_scalar(struct cursor *in) {
    switch (peek(in)) {
    case '"':
        return skip_string(in);
    case 't':
        return skip_word(in, "true");
    case 'f':
        return skip_word(in, "false");
    case 'n':
        return skip_word(in, "null");
    default:
        return skip_number(in);
    }
}

static bool skip_name(struct cursor *in) {
    skip_space(in);
    if (!skip_string(in))
        return false;
    skip_space(in);
    return take(in, ':');
}

/* Leaves the brackets that close here. True with *depth > 0: another value follows. */
static bool skip_separator(struct cursor *in, size_t *depth) {
    while (*depth > 0) {
        bool object = is_object_at(*depth - 1);
        skip_space(in);
        if (take(in, ','))
            return object ? skip_name(in) : true;
        if (!take(in, object ? '}' : ']'))
            return false;
        *depth -= 1;
    }
    return true;
}

static bool skip_value(struct cursor *in, size_t depth_max) {
    size_t depth = 0;
    do {
        skip_space(in);
        bool object = peek(in) == '{';
        if (!object && peek(in) != '[') {
            if (!skip_scalar(in))
                return false;
        } else {
            if (depth == depth_max)
                return false;
            in->at += 1;
            skip_space(in);
            if (!take(in, object ? '}' : ']')) {
                push(depth, object);
                depth += 1;
                if (object && !skip_name(in))
                    return false;
                continue; /* to the first value inside */
            }
        }
        if (!skip_separator(in, &depth))
            return false;
    } while (depth > 0);
    return true;
}

bool json_is_object(struct span text, size_t depth) {
    struct cursor in = {.at = text.data, .end = text.data + text.len};
    skip_space(&in);
    if (peek(&in) != '{' || depth > JSON_DEPTH_MAX || !skip_value(&in, depth))
        return false;
    skip_space(&in);
    return in.at == in.end;
}

static bool starts_with(struct span text, const char *prefix) {
    size_t length = strlen(prefix);
    return text.len >= length && memcmp(text.data, prefix, length) == 0;
}

static char small_letter(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* bytes.EqualFold for a name of ASCII letters: k and s have one more letter of their kind each in Unicode. */
static bool folds_to(struct span text, const char *name) {
    static const char kelvin_sign[] = "\xe2\x84\xaa"; /* U+212A */
    static const char long_s[] = "\xc5\xbf";           /* U+017F */
    for (; *name != '\0'; name += 1) {
        char letter = small_letter(*name);
        const char *other = letter == 'k' ? kelvin_sign : letter == 's' ? long_s : NULL;
        size_t length = 1;
        if (other != NULL && starts_with(text, other))
            length = strlen(other);
        else if (text.len == 0 || small_letter(*text.data) != letter)
            return false;
        text.data += length;
        text.len -= length;
    }
    return text.len == 0;
}

typedef bool is_name(struct span text, const char *name);

static bool name_is(struct span quoted, const char *name, is_name *matches) {
    char buffer[NAME_SIZE];
    struct text decoded = TEXT_IN(buffer);
    return json_decode(quoted, &decoded) && !decoded.full && matches(text_as_span(&decoded), name);
}

static bool find_member(struct span object, const char *name, is_name *matches, struct span *value) {
    struct cursor in = {.at = object.data, .end = object.data + object.len};
    bool found = false;
    skip_space(&in);
    if (!take(&in, '{'))
        return false;
    do {
        skip_space(&in);
        const char *start = in.at;
        if (!skip_string(&in))
            break; /* an object without members */
        bool wanted = name_is((struct span){.data = start, .len = (size_t)(in.at - start)}, name, matches);
        skip_space(&in);
        (void)take(&in, ':');
        skip_space(&in);
        start = in.at;
        if (!skip_value(&in, JSON_DEPTH_MAX))
            return false;
        if (wanted) {
            *value = (struct span){.data = start, .len = (size_t)(in.at - start)};
            found = true;
        }
        skip_space(&in);
    } while (take(&in, ','));
    return found;
}

bool json_member(struct span object, const char *name, struct span *value) {
    return find_member(object, name, span_equals, value);
}

bool json_member_folded(struct span object, const char *name, struct span *value) {
    return find_member(object, name, folds_to, value);
}

bool json_is_string(struct span value) {
    return value.len >= 2 && value.data[0] == '"';
}

static void put_utf8(struct text *out, uint32_t point) {
    if (point < 0x80) {
        text_char(out, (char)point);
        return;
    }
    if (point < 0x800) {
        text_char(out, (char)(0xc0 | point >> 6));
    } else {
        if (point < 0x10000) {
            text_char(out, (char)(0xe0 | point >> 12));
        } else {
            text_char(out, (char)(0xf0 | point >> 18));
            text_char(out, (char)(0x80 | (point >> 12 & 0x3f)));
        }
        text_char(out, (char)(0x80 | (point >> 6 & 0x3f)));
    }
    text_char(out, (char)(0x80 | (point & 0x3f)));
}

/* Decodes what follows \u, with the second half of a surrogate pair (RFC 8259 section 7). */
static bool decode_unicode(struct cursor *in, struct text *out) {
    int unit = take_hex4(in);
    if (unit < 0 || (unit >= 0xdc00 && unit < 0xe000))
        return false;
    uint32_t point = (uint32_t)unit;
    if (unit >= 0xd800 && unit < 0xdc00) {
        int low = take(in, '\\') && take(in, 'u') ? take_hex4(in) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        point = 0x10000U + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
    }
    put_utf8(out, point);
    return true;
}

bool json_decode(struct span value, struct text *out) {
    static const char letters[] = "bfnrt";
    static const char controls[] = "\b\f\n\r\t";
    if (!json_is_string(value))
        return false;
    struct cursor in = {.at = value.data + 1, .end = value.data + value.len - 1};
    while (in.at < in.end) {
        char byte = *in.at;
        in.at += 1;
        if (byte == '\\') {
            int escape = peek(&in);
            if (escape < 0)
                return false;
            in.at += 1;
            if (escape == 'u') {
                if (!decode_unicode(&in, out))
                    return false;
                continue;
            }
            const char *letter = strchr(letters, escape);
            byte = letter == NULL ? (char)escape : controls[letter - letters];
        }
        text_char(out, byte);
    }
    return true;
}
