/* A defect put here on purpose: it shows that the fuzzing finds what it is there for. */
#include "../answer.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* One byte after the other, so that each is new code. */
    static const char password[] = "end";
    for (size_t at = 0; at < sizeof(password) - 1; at += 1) {
        if (at == size || (char)data[at] != password[at])
            return 0;
    }
    struct reply reply = {0};
    size_t room = 0;
    memcpy(reply_room(&reply, &room), data, size);
    const char *why = NULL;
    (void)reply_take(&reply, size, &why);
    /* One byte behind what has come. */
    const volatile char *behind = reply_answer(&reply).body.data + size;
    (void)*behind;
    return 0;
}
