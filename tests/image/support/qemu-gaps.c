/*
 * Preloaded into the arm64 program when a test runs it under qemu-user, which knows neither the ioctl NS_GET_NSTYPE nor
 * the options of packet sockets, nor some of IP sockets. Here they are as far as DHCP exchange and doctor need them: what
 * the kernel of an arm64 node does itself. The frames are the real ones.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/nsfs.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS = 1024, FRAME = 2048 };

/* Sockets that were asked for a header before each frame (PACKET_VNET_HDR), or for data beside it (PACKET_AUXDATA). A
 * closed one loses its mark when the next socket has its number. */
static unsigned char has_header[FDS];
static unsigned char has_data[FDS];

static int is_marked(const unsigned char *marks, int fd) { return fd >= 0 && fd < FDS && marks[fd]; }

/* Whether a descriptor is a namespace at all, fstatfs(2) still says; the test has network namespaces only. */
int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == NS_GET_NSTYPE) return CLONE_NEWNET;
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

int socket(int domain, int type, int protocol) {
    int fd = (int)syscall(SYS_socket, domain, type, protocol);
    if (fd >= 0 && fd < FDS) has_header[fd] = has_data[fd] = 0;
    return fd;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
    if (level == SOL_SOCKET && option == SO_BINDTOIFINDEX) return 0;
    if (level == IPPROTO_IP && option == IP_MULTICAST_IF) {
        /* As for an address that more than one interface may have: then the daemon asks by SIOCGIFADDR. */
        errno = EINVAL;
        return -1;
    }
    if (level != SOL_PACKET) return (int)syscall(SYS_setsockopt, fd, level, option, value, length);
    if (fd >= 0 && fd < FDS) {
        if (option == PACKET_VNET_HDR) has_header[fd] = 1;
        if (option == PACKET_AUXDATA) has_data[fd] = 1;
    }
    return 0;
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict length) {
    if (level != SOL_PACKET) return (int)syscall(SYS_getsockopt, fd, level, option, value, length);
    memset(value, 0, *length);
    return 0;
}

/* On veth the sender leaves the checksum to the device: header and data say so for every frame. */
ssize_t recvfrom(int fd, void *restrict buffer, size_t size, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_size) {
    if (!is_marked(has_header, fd)) return syscall(SYS_recvfrom, fd, buffer, size, flags, from, from_size);
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
    unsigned char frame[FRAME];
    long got = syscall(SYS_recvfrom, fd, frame, sizeof frame, flags, from, from_size);
    if (got < 0) return got;
    size_t kept = (size_t)got < sizeof frame ? (size_t)got : sizeof frame;
    if (size < sizeof header + kept) {
        errno = EMSGSIZE;
        return -1;
    }
    memcpy(buffer, &header, sizeof header);
    memcpy((unsigned char *)buffer + sizeof header, frame, kept);
    return (ssize_t)(sizeof header) + got;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
    return recvfrom(fd, buffer, size, flags, NULL, NULL);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    if (!is_marked(has_data, fd)) return syscall(SYS_recvmsg, fd, message, flags);
    void *control = message->msg_control;
    size_t room = message->msg_controllen;
    message->msg_control = NULL;
    message->msg_controllen = 0;
    long got = syscall(SYS_recvmsg, fd, message, flags);
    message->msg_control = control;
    struct tpacket_auxdata data = {.tp_status = TP_STATUS_CSUMNOTREADY};
    if (got < 0 || room < CMSG_SPACE(sizeof data)) return got;
    struct cmsghdr *head = control;
    head->cmsg_level = SOL_PACKET;
    head->cmsg_type = PACKET_AUXDATA;
    head->cmsg_len = CMSG_LEN(sizeof data);
    memcpy(CMSG_DATA(head), &data, sizeof data);
    message->msg_controllen = CMSG_SPACE(sizeof data);
    return got;
}
