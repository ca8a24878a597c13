#define _GNU_SOURCE /* struct ucred */
#include "peer.h"

#include "conf.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const uid_t root = 0;

/* What stat(2) says of the folder in which the path lies. The path is absolute: conf_socket has seen to it. */
static bool stat_folder(const char *path, struct stat *status) {
    char folder[SOCKET_PATH_SIZE] = "/";
    size_t length = (size_t)(strrchr(path, '/') - path);
    if (length >= sizeof(folder))
        return false;
    if (length > 0)
        memcpy(folder, path, length);
    return stat(folder, status) == 0;
}

bool peer_is_trusted(int fd, const char *path, int64_t *user) {
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    *user = PEER_UNKNOWN;
    /* unix(7): the credentials of the moment in which it called listen(2). */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof(peer))
        return false;
    *user = peer.uid;
    struct stat folder = {0};
    return peer.uid == root || (stat_folder(path, &folder) && folder.st_uid == peer.uid);
}

bool folder_is_foreign(const char *path) {
    struct stat folder = {0};
    return stat_folder(path, &folder) && folder.st_uid != root && folder.st_uid != geteuid();
}
