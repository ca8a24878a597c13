#include "addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum {
    IPV4_LOOPBACK_NET = 127, /* the first byte */
    MAX_ERRNO = 4095,        /* include/linux/err.h */
};

static bool is_loopback(unsigned char family, const void *address) {
    if (family == AF_INET)
        return *(const unsigned char *)address == IPV4_LOOPBACK_NET;
    return memcmp(address, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

/* Takes the address where it is the first of its family. */
static void take_address(const struct ifaddrmsg *message, const void *address, struct lo_addresses *addresses) {
    char *place = message->ifa_family == AF_INET ? addresses->ipv4 : addresses->ipv6;
    char written[INET6_ADDRSTRLEN];
    if (*place != '\0' || !is_loopback(message->ifa_family, address) ||
        inet_ntop(message->ifa_family, address, written, sizeof(written)) == NULL)
        return;
    struct text text = {.data = place, .size = LO_ADDRESS_SIZE};
    text_string(&text, written);
    text_char(&text, '/');
    text_number(&text, message->ifa_prefixlen, 1);
    (void)text_end(&text);
}

/* How far it is to what comes next, or to the end: NLMSG_NEXT and RTA_NEXT count on the padding behind the last one. */
static size_t step_over(size_t length, size_t left) {
    size_t padded = NLMSG_ALIGN(length);
    return padded < left ? padded : left;
}

static void read_message(unsigned index, const struct nlmsghdr *header, struct lo_addresses *addresses) {
    const struct ifaddrmsg *message = NLMSG_DATA(header);
    if (header->nlmsg_type != RTM_NEWADDR || header->nlmsg_len < NLMSG_LENGTH(sizeof(*message)))
        return;
    if (message->ifa_index != index ||
        (message->ifa_family != AF_INET && message->ifa_family != AF_INET6))
        return;
    size_t size = message->ifa_family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    size_t left = IFA_PAYLOAD(header);
    for (const struct rtattr *attribute = IFA_RTA(message); RTA_OK(attribute, left);) {
        if (attribute->rta_type == IFA_ADDRESS && RTA_PAYLOAD(attribute) == size)
            take_address(message, RTA_DATA(attribute), addresses);
        size_t step = step_over(attribute->rta_len, left);
        attribute = (const void *)((const char *)attribute + step);
        left -= step;
    }
}

int take_addresses(unsigned index, const struct nlmsghdr *header, size_t left, struct lo_addresses *addresses) {
    while (NLMSG_OK(header, left)) {
        if (header->nlmsg_type == NLMSG_DONE)
            return 1;
        if (header->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *refusal = NLMSG_DATA(header);
            bool told = header->nlmsg_len >= NLMSG_LENGTH(sizeof(*refusal)) && refusal->error < 0 &&
                        refusal->error >= -MAX_ERRNO;
            return told ? refusal->error : -EPROTO;
        }
        read_message(index, header, addresses);
        size_t step = step_over(header->nlmsg_len, left);
        header = (const void *)((const char *)header + step);
        left -= step;
    }
    return 0;
}
