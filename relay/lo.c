#define _GNU_SOURCE /* setns */
#include "lo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANSWER_SIZE = 32 * 1024, /* the kernel makes no message of a dump larger (netlink(7), NLMSG_GOODSIZE) */
};

static bool fail(struct lo_failure *failure, enum cni_code code, const char *what, int error) {
    *failure = (struct lo_failure){.code = code, .what = what, .error = error, .gone = false};
    return false;
}

static bool fail_for_right(struct lo_failure *failure, enum cni_code code, const char *what, int error) {
    return fail(failure, error == EPERM || error == EACCES ? CNI_NOT_PERMITTED : code, what, error);
}

static bool is_own(int namespace) {
    struct stat own;
    struct stat theirs;
    return stat("/proc/thread-self/ns/net", &own) == 0 && fstat(namespace, &theirs) == 0 &&
           own.st_ino == theirs.st_ino && own.st_dev == theirs.st_dev;
}

bool enter_namespace(const char *path, bool own_too, struct lo_failure *failure) {
    /* A FIFO in its place would not let go of a reader. */
    int namespace = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (namespace < 0) {
        /* ESRCH: /proc/PID of a process that has ended. */
        bool gone = errno == ENOENT || errno == ENOTDIR || errno == ESRCH;
        enum cni_code code = gone ? CNI_UNKNOWN_CONTAINER : CNI_NOT_A_NAMESPACE;
        (void)fail_for_right(failure, code, "the network namespace cannot be opened", errno);
        failure->gone = gone;
        return false;
    }
    bool refused = !own_too && is_own(namespace);
    bool entered = !refused && setns(namespace, CLONE_NEWNET) == 0;
    int error = errno;
    close(namespace);
    if (refused)
        return fail(failure, CNI_NOT_A_NAMESPACE, "the network namespace is that of the plugin itself, the node's", 0);
    if (entered)
        return true;
    (void)fail_for_right(failure, CNI_NOT_A_NAMESPACE, "what is there cannot be entered as a network namespace", error);
    /* What a runtime leaves that took the mount of a namespace away, and not the file. */
    failure->gone = error == EINVAL;
    return false;
}

static bool request_flags(const struct lo *lo, unsigned long request, struct ifreq *interface) {
    *interface = (struct ifreq){0};
    memcpy(interface->ifr_name, "lo", sizeof("lo"));
    interface->ifr_flags = lo->flags;
    return ioctl(lo->socket, request, interface) == 0;
}

bool lo_open(struct lo *lo, struct lo_failure *failure) {
    *lo = (struct lo){.socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    if (lo->socket < 0)
        return fail(failure, CNI_LINK_FAILED, "there is no socket to the kernel", errno);
    struct ifreq interface;
    if (!request_flags(lo, SIOCGIFINDEX, &interface))
        return fail(failure, CNI_LINK_FAILED, "the interface lo cannot be found", errno);
    lo->index = interface.ifr_ifindex;
    if (!request_flags(lo, SIOCGIFFLAGS, &interface))
        return fail(failure, CNI_LINK_FAILED, "the interface lo cannot be looked at", errno);
    lo->flags = interface.ifr_flags;
    if ((lo->flags & IFF_LOOPBACK) == 0)
        return fail(failure, CNI_LINK_FAILED, "the interface named lo is no loopback interface", 0);
    return true;
}

bool lo_is_up(const struct lo *lo) {
    return (lo->flags & IFF_UP) != 0;
}

bool lo_set(struct lo *lo, bool up, struct lo_failure *failure) {
    if (lo_is_up(lo) == up)
        return true;
    lo->flags = (short)(lo->flags ^ IFF_UP);
    struct ifreq interface;
    return request_flags(lo, SIOCSIFFLAGS, &interface) ||
           fail_for_right(failure, CNI_LINK_FAILED, "the interface lo cannot be switched", errno);
}

bool lo_read_addresses(const struct lo *lo, struct lo_addresses *addresses, struct lo_failure *failure) {
    static const char what[] = "the addresses of the interface lo cannot be read";
    static _Alignas(struct nlmsghdr) char answer[ANSWER_SIZE];
    struct {
        struct nlmsghdr header;
        struct ifaddrmsg message;
    } request = {
        .header = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .message = {.ifa_family = AF_UNSPEC, .ifa_index = (unsigned)lo->index},
    };
    *addresses = (struct lo_addresses){0};
    if (send(lo->socket, &request, sizeof(request), 0) < 0)
        return fail(failure, CNI_LINK_FAILED, what, errno);
    for (;;) {
        /* The kernel makes each piece of a dump when it is asked for the one before: it never has to be waited for. */
        ssize_t count = recv(lo->socket, answer, sizeof(answer), MSG_DONTWAIT);
        if (count < 0)
            return fail(failure, CNI_LINK_FAILED, what, errno);
        FENCE(answer, (size_t)count);
        int end = take_addresses((unsigned)lo->index, (const struct nlmsghdr *)(const void *)answer, (size_t)count, addresses);
        FENCE(answer, sizeof(answer));
        if (end != 0)
            return end > 0 || fail(failure, CNI_LINK_FAILED, what, -end);
    }
}
