/* The head of a request: whatever stands in the environment, it is one request, and its lines are the ones meant. */
#include "../request.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* In this order, each up to the next NUL of the input; one that is missing there is not set. */
static const char *const variables[] = {"CNI_COMMAND", "CNI_CONTAINERID",   "CNI_NETNS", "CNI_IFNAME",
                                        "CNI_ARGS",    "CNI_NETNS_OVERRIDE", "CNI_PATH"};
enum { VARIABLES = sizeof(variables) / sizeof(variables[0]), FIXED_LINES = 6 };

/* Sets them from the input; how many are set. */
static size_t set_environment(const char *input, size_t size) {
    size_t set = 0;
    for (size_t index = 0; index < VARIABLES; index += 1) {
        if (size == 0) {
            (void)unsetenv(variables[index]);
            continue;
        }
        size_t length = strnlen(input, size);
        char *value = strndup(input, length);
        HOLDS(value != NULL && setenv(variables[index], value, 1) == 0);
        free(value);
        set += 1;
        size_t used = length < size ? length + 1 : size;
        input += used;
        size -= used;
    }
    return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char buffer[REQUEST_HEAD_MAX];
    size_t set = set_environment((const char *)data, size);
    struct text head = TEXT_IN(buffer);
    struct variable_refusal refusal = {0};
    if (!request_head(&head, "leasehold", size, &refusal)) {
        HOLDS(refusal.variable != NULL && refusal.reason != NULL);
        return 0;
    }
    HOLDS(!head.full);
    size_t lines = 0;
    for (size_t at = 0; at < head.used; at += 1) {
        if (buffer[at] == '\r') {
            HOLDS(at + 1 < head.used && buffer[at + 1] == '\n');
            lines += 1;
            at += 1;
            continue;
        }
        HOLDS(buffer[at] >= ' ' && buffer[at] <= '~');
    }
    HOLDS(lines == FIXED_LINES + set);
    HOLDS(head.used > 4 && memcmp(buffer + head.used - 4, "\r\n\r\n", 4) == 0);
    return 0;
}
