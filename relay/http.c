#define _GNU_SOURCE /* memmem */
#include "http.h"

#include "io.h"
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { MS_PER_SEC = 1000, US_PER_MS = 1000 };

static char received[ANSWER_HEAD_MAX + ANSWER_BODY_MAX];

/* What is known of the answer so far. */
struct reply {
    size_t used;     /* bytes in `received` */
    size_t head_len; /* with the empty line; 0 while that has not come */
    unsigned status;
    bool has_length;
    size_t length;
};

static bool fail(struct failure *failure, const char *what, int error) {
    *failure = (struct failure){.what = what, .error = error, .connected = true};
    return false;
}

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* HTTP/1.1 200 OK; the words at its end mean nothing. */
static bool parse_status(struct span line, struct reply *reply) {
    static const char start[] = "HTTP/1.";
    enum { MINOR = sizeof(start) - 1, CODE = MINOR + 2, LEAST = CODE + 3 };
    if (line.len < LEAST || memcmp(line.data, start, MINOR) != 0)
        return false;
    const char *code = line.data + CODE;
    bool good = (line.data[MINOR] == '0' || line.data[MINOR] == '1') && line.data[MINOR + 1] == ' ' &&
                is_digit(code[0]) && is_digit(code[1]) && is_digit(code[2]) &&
                (line.len == LEAST || line.data[LEAST] == ' ');
    if (!good)
        return false;
    reply->status = (unsigned)(code[0] - '0') * 100 + (unsigned)(code[1] - '0') * 10 + (unsigned)(code[2] - '0');
    return true;
}

static bool parse_length(struct span value, struct reply *reply, struct failure *failure) {
    /* Two of them are how a request is smuggled past one of two readers (RFC 9112 section 6.3): never take a choice. */
    if (reply->has_length || value.len == 0)
        return fail(failure, "the daemon's answer has no single, valid Content-Length", 0);
    size_t length = 0;
    for (size_t at = 0; at < value.len; at += 1) {
        if (!is_digit(value.data[at]))
            return fail(failure, "the daemon's answer has a Content-Length that is not a number", 0);
        length = length * 10 + (size_t)(value.data[at] - '0');
        if (length > ANSWER_BODY_MAX)
            return fail(failure, "the daemon's answer is larger than 4 MiB", 0);
    }
    reply->has_length = true;
    reply->length = length;
    return true;
}

static bool name_is(struct span name, const char *wanted) {
    return name.len == strlen(wanted) && strncasecmp(name.data, wanted, name.len) == 0;
}

static struct span trimmed(struct span value) {
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = (struct span){.data = value.data + 1, .len = value.len - 1};
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len -= 1;
    return value;
}

static bool parse_field(struct span line, struct reply *reply, struct failure *failure) {
    static const char malformed[] = "the daemon's answer has a malformed header";
    const char *colon = memchr(line.data, ':', line.len);
    if (colon == NULL || colon == line.data)
        return fail(failure, malformed, 0);
    struct span name = {.data = line.data, .len = (size_t)(colon - line.data)};
    for (size_t at = 0; at < line.len; at += 1) {
        unsigned char byte = (unsigned char)line.data[at];
        bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
        /* A blank in a name also means a folded line (RFC 9112 section 5.2). */
        if (control || (at < name.len && (byte == ' ' || byte == '\t')))
            return fail(failure, malformed, 0);
    }
    struct span value = trimmed((struct span){.data = colon + 1, .len = line.len - name.len - 1});
    if (name_is(name, "Transfer-Encoding"))
        return fail(failure, "the daemon's answer has a Transfer-Encoding, which is not understood here", 0);
    return name_is(name, "Content-Length") ? parse_length(value, reply, failure) : true;
}

static bool parse_head(struct reply *reply, struct failure *failure) {
    const char *at = received;
    const char *end = received + reply->head_len - 2; /* the lines, each with its CR LF */
    for (bool first = true; at < end; first = false) {
        const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (stop == NULL)
            return fail(failure, "the daemon's answer has a malformed header", 0);
        struct span line = {.data = at, .len = (size_t)(stop - at)};
        if (first && !parse_status(line, reply))
            return fail(failure, "the daemon's answer is not HTTP/1.1", 0);
        if (!first && !parse_field(line, reply, failure))
            return false;
        at = stop + 2;
    }
    return true;
}

static bool find_head(struct reply *reply, struct failure *failure) {
    static const char empty_line[] = "\r\n\r\n";
    size_t searched = reply->used < ANSWER_HEAD_MAX ? reply->used : ANSWER_HEAD_MAX;
    const char *found = memmem(received, searched, empty_line, sizeof(empty_line) - 1);
    if (found != NULL) {
        reply->head_len = (size_t)(found - received) + sizeof(empty_line) - 1;
        return parse_head(reply, failure);
    }
    return searched < ANSWER_HEAD_MAX ? true : fail(failure, "the daemon's answer has a head larger than 16 KiB", 0);
}

static bool is_complete(const struct reply *reply) {
    return reply->head_len > 0 && reply->has_length && reply->used >= reply->head_len + reply->length;
}

enum progress { GOING_ON, COMPLETE, BROKEN };

static enum progress receive_some(int fd, struct reply *reply, struct failure *failure) {
    FENCE(received, sizeof(received));
    ssize_t count = recv(fd, received + reply->used, sizeof(received) - reply->used, MSG_DONTWAIT);
    int error = count < 0 ? errno : 0;
    reply->used += count > 0 ? (size_t)count : 0;
    FENCE(received, reply->used);
    if (count < 0) {
        if (error == EAGAIN || error == EINTR)
            return GOING_ON;
        (void)fail(failure, "the connection to the daemon broke", error);
        /*
         * net/unix/af_unix.c, unix_release_sock: a UNIX socket's peer hears ECONNRESET where it was not accepted yet, or where
         * something that it had sent was not read. A request that was read whole ends in an answer, or in an orderly end.
         */
        failure->unread = error == ECONNRESET && reply->used == 0;
        return BROKEN;
    }
    if (count == 0) {
        if (reply->head_len > 0 && !reply->has_length)
            return COMPLETE;
        (void)fail(failure,
                   reply->used == 0 ? "the daemon closed the connection without an answer"
                                    : "the daemon closed the connection in the middle of its answer",
                   0);
        return BROKEN;
    }
    if (reply->head_len == 0 && !find_head(reply, failure))
        return BROKEN;
    if (is_complete(reply))
        return COMPLETE;
    if (reply->head_len > 0 && reply->used - reply->head_len > ANSWER_BODY_MAX) {
        (void)fail(failure, "the daemon's answer is larger than 4 MiB", 0);
        return BROKEN;
    }
    return GOING_ON;
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
    size_t rest = reply.used - reply.head_len;
    *answer = (struct answer){
        .status = reply.status,
        .body = {.data = received + reply.head_len, .len = reply.has_length ? reply.length : rest},
        .counted = reply.has_length,
    };
    return true;
}
