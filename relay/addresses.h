/* The addresses of an interface, out of the kernel's answer to RTM_GETADDR (rtnetlink(7)). */
#ifndef RELAY_ADDRESSES_H
#define RELAY_ADDRESSES_H

#include "text.h"

#include <linux/rtnetlink.h>

enum {
    /* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128" */
    LO_ADDRESS_SIZE = 64,
};

/* Addresses with their prefix lengths, "" where there is none. */
struct lo_addresses {
    char ipv4[LO_ADDRESS_SIZE];
    char ipv6[LO_ADDRESS_SIZE];
};

/*
 * Takes the first address of each family that is one of loopback (RFC 6890), of the interface with this index, from one
 * piece of a dump: `left` bytes. 0 when there is more to come, 1 at the end, else the negative errno.
 */
int take_addresses(unsigned index, const struct nlmsghdr *header, size_t left, struct lo_addresses *addresses);

#endif
