/* The kernel's answer to RTM_GETADDR: whatever it holds, what is taken of it is an address with a prefix length. */
#include "../addresses.h"
#include "fuzz.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { LO_INDEX = 1 };

static void check(int family, const char *written) {
    if (*written == '\0')
        return;
    char copy[LO_ADDRESS_SIZE];
    HOLDS(strnlen(written, LO_ADDRESS_SIZE) < LO_ADDRESS_SIZE);
    memcpy(copy, written, LO_ADDRESS_SIZE);
    char *slash = strchr(copy, '/');
    HOLDS(slash != NULL && strspn(slash + 1, "0123456789") == strlen(slash + 1));
    *slash = '\0';
    unsigned char address[sizeof(struct in6_addr)];
    HOLDS(inet_pton(family, copy, address) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    void *copy = copy_of(data, size);
    struct lo_addresses addresses = {0};
    int end = take_addresses(LO_INDEX, copy, size, &addresses);
    HOLDS(end <= 1 && -end <= 4095);
    check(AF_INET, addresses.ipv4);
    check(AF_INET6, addresses.ipv6);
    free(copy);
    return 0;
}
