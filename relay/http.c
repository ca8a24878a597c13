#include "http.h"

#include "io.h"
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { MS_PER_SEC = 1000, US_PER_MS = 1000 };

static bool fail(struct failure *failure, const char *what, int error) {
    *failure = (struct failure){.what = what, .error = error, .connected = true};
    return false;
}

static enum progress receive_some(int fd, struct reply *reply, struct failure *failure) {
    size_t room = 0;
    char *place = reply_room(reply, &room);
    ssize_t count = recv(fd, place, room, MSG_DONTWAIT);
    int error = count < 0 ? errno : 0;
    if (error == EAGAIN || error == EINTR)
        return GOING_ON;
    if (count < 0) {
        (void)fail(failure, "the connection to the daemon broke", error);
        /*
         * net/unix/af_unix.c, unix_release_sock: a UNIX socket's peer hears ECONNRESET where it was not accepted yet, or where
         * something that it had sent was not read. A request that was read whole ends in an answer, or in an orderly end.
         */
        failure->unread = error == ECONNRESET && reply->used == 0;
        return BROKEN;
    }
    const char *why = NULL;
    enum progress progress = count == 0 ? reply_end(reply, &why) : reply_take(reply, (size_t)count, &why);
    if (progress == BROKEN)
        (void)fail(failure, why, 0);
    return progress;
}

/* Takes from the first of the two spans what the socket takes. False: the daemon reads no more. */
static bool send_some(int fd, struct span pending[2]) {
    struct span *next = pending[0].len > 0 ? &pending[0] : &pending[1];
    ssize_t count = send(fd, next->data, next->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    next->data += count;
    next->len -= (size_t)count;
    return true;
}

/*
 * Reads while it still sends: a daemon that refuses the request early (and reads no further) must be heard,
 * and neither side may wait for ever for the other one to read.
 */
static bool converse(int fd, struct span head, struct span body, int64_t deadline, struct reply *reply,
                     struct failure *failure) {
    struct span pending[2] = {head, body};
    for (;;) {
        bool sending = pending[0].len + pending[1].len > 0;
        short events = wait_for(fd, (short)(sending ? POLLIN | POLLOUT : POLLIN), deadline);
        if (events == 0)
            return fail(failure, "the daemon did not answer in time", ETIMEDOUT);
        if ((events & POLLOUT) != 0 && sending && !send_some(fd, pending))
            pending[0].len = pending[1].len = 0;
        if ((events & ~POLLOUT) != 0) {
            enum progress progress = receive_some(fd, reply, failure);
            if (progress != GOING_ON)
                return progress == COMPLETE;
        }
    }
}

/* connect(2) to a UNIX socket waits while the listener's queue is full, for as long as SO_SNDTIMEO says. */
static bool connect_until(int fd, const char *path, int64_t deadline) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
    for (;;) {
        int64_t left = left_ms(deadline);
        if (left == 0)
            left = 1; /* because a limit of zero means none */
        struct timeval limit = {.tv_sec = left / MS_PER_SEC, .tv_usec = left % MS_PER_SEC * US_PER_MS};
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
            return false;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
            return true;
        if (errno == EAGAIN)
            errno = ETIMEDOUT;
        if (errno != EINTR)
            return false;
    }
}

static bool fail_to_connect(struct failure *failure, int error) {
    *failure = (struct failure){.what = "cannot connect to the daemon", .error = error, .connected = false};
    return false;
}

static bool is_impostor(int fd, const char *path, struct failure *failure) {
    int64_t user = PEER_UNKNOWN;
    if (peer_is_trusted(fd, path, &user))
        return false;
    *failure = (struct failure){.what = "another program listens in the daemon's place",
                                .connected = true,
                                .impostor = true,
                                .user = user};
    return true;
}

bool http_exchange(const char *path, struct span head, struct span body, int64_t deadline, struct answer *answer,
                   struct failure *failure) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_to_connect(failure, errno);
    struct reply reply = {0};
    bool good = connect_until(fd, path, deadline) || fail_to_connect(failure, errno);
    good = good && !is_impostor(fd, path, failure) && converse(fd, head, body, deadline, &reply, failure);
    (void)close(fd);
    if (!good)
        return false;
    *answer = reply_answer(&reply);
    return true;
}
