/* What a fuzz target is to libFuzzer. */
#ifndef RELAY_FUZZ_H
#define RELAY_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Called with one input after the other; 0. What must not happen ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Called once before the first input; 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the process where something does not hold that must: libFuzzer keeps the input. */
#define HOLDS(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            __builtin_trap();                                                                                \
    } while (0)

/*
 * A copy of an input in memory of its own, so that AddressSanitizer sees a read behind its end; aligned for any type. It is
 * the caller's to free.
 */
static inline void *copy_of(const uint8_t *data, size_t size) {
    void *copy = malloc(size + (size == 0));
    HOLDS(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

#endif
