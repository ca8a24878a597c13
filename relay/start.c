#define _GNU_SOURCE /* F_OFD_GETLK */
#include "start.h"

#include "conf.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".lock";

/* Asks only (fcntl(2), F_OFD_GETLK): a lock taken to try it, however shortly, could keep a daemon from starting. */
static bool is_held(const char *path) {
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0)
        return false;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool held = fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(file);
    return held;
}

bool is_starting(const char *socket_path, int error) {
    if (error != ENOENT && error != ECONNREFUSED)
        return false;
    /* connect(2) refuses a file of another kind as well. */
    struct stat status;
    if (error == ECONNREFUSED && stat(socket_path, &status) == 0 && S_ISSOCK(status.st_mode))
        return true;
    char path[SOCKET_PATH_SIZE + sizeof(suffix)];
    struct text built = TEXT_IN(path);
    text_string(&built, socket_path);
    text_string(&built, suffix);
    return is_held(text_end(&built));
}
