#include "io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

enum { MS_PER_SEC = 1000, NS_PER_MS = 1000000 };

int64_t now_ms(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * MS_PER_SEC + (int64_t)now.tv_nsec / NS_PER_MS;
}

int64_t left_ms(int64_t deadline) {
    int64_t left = deadline - now_ms();
    return left > 0 ? left : 0;
}

void pause_ms(int milliseconds) {
    (void)poll(NULL, 0, milliseconds);
}

short wait_for(int fd, short events, int64_t deadline) {
    struct pollfd entry = {.fd = fd, .events = events, .revents = 0};
    for (;;) {
        int64_t left = left_ms(deadline);
        int count = poll(&entry, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (count > 0)
            return entry.revents;
        if (count == 0 && left == 0)
            return 0;
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            return POLLERR; /* the read or write that follows will say what is wrong */
    }
}

bool write_all(int fd, struct span bytes) {
    while (bytes.len > 0) {
        ssize_t count = write(fd, bytes.data, bytes.len);
        if (count < 0 && errno == EAGAIN) {
            /* stdout may be a pipe that somebody has made non-blocking; its reader ends this wait, alive or dead. */
            (void)wait_for(fd, POLLOUT, INT64_MAX);
        } else if (count < 0 && errno != EINTR) {
            return false;
        } else if (count > 0) {
            bytes.data += count;
            bytes.len -= (size_t)count;
        }
    }
    return true;
}
