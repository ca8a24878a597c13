/*
 * Preloaded into the daemon: ends its process by SIGKILL at one exact call.
 *
 * CRASH_AT=kind:when:n, where kind is create, rename, unlink, truncate, file (a write to a regular file), answer (a
 * write to a socket), send (netlink) or sendto (DHCP); when is before, after or, for writes, half: the first half of
 * the bytes is written. The n-th call of the kind counts, over all threads. Calls made on the way to Node (by nsenter
 * and the shell, which exec) are not counted: their images have counters of their own and another name.
 * Built with -D_GNU_SOURCE.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum when { NEVER, BEFORE, AFTER, HALF };

static char wanted_kind[16];
static enum when wanted_when = NEVER;
static int wanted_call;
static atomic_int calls;

static bool is_node(void) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    return length >= 5 && memcmp(path + length - 5, "/node", 5) == 0;
}

__attribute__((constructor)) static void read_wish(void) {
    const char *wish = getenv("CRASH_AT");
    char when[16];
    if (wish == NULL || !is_node() || sscanf(wish, "%15[a-z]:%15[a-z]:%d", wanted_kind, when, &wanted_call) != 3)
        return;
    wanted_when = strcmp(when, "before") == 0 ? BEFORE : strcmp(when, "half") == 0 ? HALF : AFTER;
}

static void die(void) {
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

/* Whether this call is the one, and in which way; dies here when it must not happen any more. */
static enum when arrive(const char *kind) {
    if (wanted_when == NEVER || strcmp(kind, wanted_kind) != 0 || atomic_fetch_add(&calls, 1) + 1 != wanted_call)
        return NEVER;
    if (wanted_when == BEFORE)
        die();
    return wanted_when;
}

static void leave(enum when when) {
    if (when != NEVER)
        die();
}

static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL)
        abort();
    return function;
}

#define REAL(type, name) \
    static type *real; \
    if (real == NULL) \
        real = (type *)next(name)

typedef int open_type(const char *, int, ...);
typedef int path_type(const char *);
typedef int paths_type(const char *, const char *);
typedef int exchange_type(int, const char *, int, const char *, unsigned int);
typedef int truncate_type(int, off_t);
typedef ssize_t write_type(int, const void *, size_t);
typedef ssize_t writev_type(int, const struct iovec *, int);
typedef ssize_t pwrite_type(int, const void *, size_t, off_t);
typedef ssize_t send_type(int, const void *, size_t, int);
typedef ssize_t sendto_type(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

/* Regular files and sockets are of interest; libuv's own eventfds and pipes are not. */
static const char *kind_of(int fd) {
    struct stat status;
    if (fd <= STDERR_FILENO || fstat(fd, &status) != 0)
        return "";
    return S_ISREG(status.st_mode) ? "file" : S_ISSOCK(status.st_mode) ? "answer" : "";
}

static int open_by(open_type *real, const char *path, int flags, mode_t mode) {
    enum when when = (flags & O_CREAT) != 0 ? arrive("create") : NEVER;
    int result = real(path, flags, mode);
    leave(when);
    return result;
}

/* The mode is there only when a file may be made. */
#define MODE_OF(flags, mode) \
    mode_t mode = 0; \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...) {
    REAL(open_type, "open");
    MODE_OF(flags, mode)
    return open_by(real, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    REAL(open_type, "open64");
    MODE_OF(flags, mode)
    return open_by(real, path, flags, mode);
}

int rename(const char *from, const char *to) {
    REAL(paths_type, "rename");
    enum when when = arrive("rename");
    int result = real(from, to);
    leave(when);
    return result;
}

/* A record that is there already is exchanged with its successor. */
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned int flags) {
    REAL(exchange_type, "renameat2");
    enum when when = arrive("rename");
    int result = real(from_folder, from, to_folder, to, flags);
    leave(when);
    return result;
}

int unlink(const char *path) {
    REAL(path_type, "unlink");
    enum when when = arrive("unlink");
    int result = real(path);
    leave(when);
    return result;
}

int ftruncate64(int fd, off_t length) {
    REAL(truncate_type, "ftruncate64");
    enum when when = arrive("truncate");
    int result = real(fd, length);
    leave(when);
    return result;
}

static size_t part_of(enum when when, size_t length) {
    return when == HALF ? length / 2 : length;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write_type, "write");
    enum when when = arrive(kind_of(fd));
    ssize_t result = real(fd, bytes, part_of(when, length));
    leave(when);
    return result;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
    REAL(pwrite_type, "pwrite64");
    enum when when = arrive(kind_of(fd));
    ssize_t result = real(fd, bytes, part_of(when, length), at);
    leave(when);
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev_type, "writev");
    enum when when = arrive(kind_of(fd));
    ssize_t result = real(fd, parts, when == HALF && count > 1 ? count / 2 : count);
    leave(when);
    return result;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    REAL(send_type, "send");
    enum when when = arrive("send");
    ssize_t result = real(fd, bytes, length, flags);
    leave(when);
    return result;
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
    REAL(sendto_type, "sendto");
    enum when when = arrive("sendto");
    ssize_t result = real(fd, bytes, length, flags, to, size);
    leave(when);
    return result;
}
