/* The JSON checker, finder and decoder: what it takes, it takes whole, and what it writes it can read. */
#include "../json.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_DEPTH = 8, DECODED_SIZE = 256, WRITTEN_SIZE = 6 * DECODED_SIZE + 2 };

static bool lies_in(struct span part, struct span whole) {
    return part.data >= whole.data && part.len <= whole.len && part.data + part.len <= whole.data + whole.len;
}

static void check_value(struct span value) {
    char decoded_buffer[DECODED_SIZE];
    struct text decoded = TEXT_IN(decoded_buffer);
    if (!json_decode(value, &decoded))
        return;
    HOLDS(json_is_string(value));
    HOLDS(decoded.used <= sizeof(decoded_buffer));
    if (decoded.full)
        return;
    for (size_t at = 0, length = 0; at < decoded.used; at += length) {
        length = utf8_length((struct span){.data = decoded_buffer + at, .len = decoded.used - at});
        HOLDS(length > 0);
    }
    char written_buffer[WRITTEN_SIZE];
    struct text written = TEXT_IN(written_buffer);
    text_json(&written, text_as_span(&decoded));
    char again_buffer[DECODED_SIZE];
    struct text again = TEXT_IN(again_buffer);
    HOLDS(!written.full && json_decode(text_as_span(&written), &again) && !again.full);
    HOLDS(again.used == decoded.used && memcmp(again_buffer, decoded_buffer, again.used) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = copy_of(data, size);
    struct span text = {.data = copy, .len = size};
    bool object = json_is_object(text, JSON_DEPTH_MAX);
    HOLDS(object || !json_is_object(text, SMALL_DEPTH));
    static const char *const names[] = {"a", "ipam", "daemonSocketPath", "cniVersion", ""};
    for (size_t at = 0; object && at < sizeof(names) / sizeof(names[0]); at += 1) {
        struct span value = {0};
        struct span folded = {0};
        bool exact = json_member(text, names[at], &value);
        HOLDS(!exact || json_member_folded(text, names[at], &folded));
        if (!exact)
            continue;
        HOLDS(value.len > 0 && lies_in(value, text) && lies_in(folded, text));
        check_value(value);
        struct span inner = {0};
        if (json_member(value, "daemonSocketPath", &inner)) {
            HOLDS(lies_in(inner, value));
            check_value(inner);
        }
    }
    free(copy);
    return 0;
}
