#include "spool.h"

#include "conf.h"
#include "io.h"
#include "peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PRIVATE_FOLDER = 0700,
    PRIVATE_FILE = 0600,
    OTHERS = 0077,
    NAME_SIZE = 64,
    TIME_DIGITS = 20, /* so that the order of the names is the order in time */
    NS_PER_SEC = 1000000000,
};

static const char suffix[] = ".spool";

static bool explain(struct text *why, const char *path, const char *what, int error) {
    text_string(why, path);
    text_string(why, what);
    if (error != 0) {
        text_string(why, ": ");
        text_string(why, strerror(error));
    }
    return false;
}

/*
 * After a reboot /run is empty and the first DELs may come before the daemon: the socket's folder is then made as well.
 * Only that one: a whole path that is missing is more likely a mistake in the configuration.
 */
static bool make_folder(const char *path) {
    if (mkdir(path, PRIVATE_FOLDER) == 0 || errno == EEXIST)
        return true;
    if (errno != ENOENT)
        return false;
    char parent[SOCKET_PATH_SIZE + sizeof(suffix)] = {0};
    const char *slash = strrchr(path, '/');
    memcpy(parent, path, (size_t)(slash - path));
    if (mkdir(parent, PRIVATE_FOLDER) != 0 && errno != EEXIST)
        return false;
    return mkdir(path, PRIVATE_FOLDER) == 0 || errno == EEXIST;
}

/* Somebody who can write here could make the daemon, which is root, carry out requests of his own. */
static bool is_private(int folder, const char *path, struct text *why) {
    struct stat status;
    if (fstat(folder, &status) != 0)
        return explain(why, path, " cannot be examined", errno);
    if (status.st_uid != geteuid())
        return explain(why, path, " belongs to another user", 0);
    if ((status.st_mode & OTHERS) != 0)
        return explain(why, path, " is accessible to others: its mode must be 0700", 0);
    return true;
}

static bool has_room(int folder, const char *path, struct text *why) {
    /* A descriptor of its own, because closedir closes it. */
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    if (list == NULL) {
        (void)explain(why, path, " cannot be listed", errno);
        if (again >= 0)
            (void)close(again);
        return false;
    }
    size_t count = 0;
    const struct dirent *entry = NULL;
    while (count < SPOOL_ENTRIES_MAX && (entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            count += 1;
    }
    (void)closedir(list);
    return count < SPOOL_ENTRIES_MAX || explain(why, path, " is full: it has 1024 requests", 0);
}

/* The daemon must never see half a request: the file gets its name when it is whole and on the disk. */
static bool write_file(int folder, const char *path, struct span head, struct span body, struct text *why) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    /* The process id makes the name unique: a relay writes one request in its life. */
    char hidden_name[NAME_SIZE];
    struct text hidden = TEXT_IN(hidden_name);
    text_string(&hidden, ".tmp-");
    size_t prefix = hidden.used;
    text_number(&hidden, (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec, TIME_DIGITS);
    text_char(&hidden, '-');
    text_number(&hidden, (uint64_t)getpid(), 1);
    text_string(&hidden, ".req");
    const char *name = text_end(&hidden) + prefix;

    int file = openat(folder, hidden_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, PRIVATE_FILE);
    if (file < 0)
        return explain(why, path, " takes no new file", errno);
    bool good = write_all(file, head) && write_all(file, body) && fsync(file) == 0;
    int error = errno;
    (void)close(file);
    if (good && renameat(folder, hidden_name, folder, name) == 0) {
        /* Some file systems cannot sync a folder; the request is there all the same. */
        (void)fsync(folder);
        return true;
    }
    if (good)
        error = errno;
    (void)unlinkat(folder, hidden_name, 0);
    return explain(why, path, " cannot be written to", error);
}

bool spool_write(const char *socket_path, struct span head, struct span body, struct text *why) {
    char path[SOCKET_PATH_SIZE + sizeof(suffix)];
    struct text built = TEXT_IN(path);
    text_string(&built, socket_path);
    text_string(&built, suffix);
    (void)text_end(&built);

    /* Its owner could take the spool away, and no daemon starts there. */
    if (folder_is_foreign(socket_path))
        return explain(why, path, " lies in a folder that belongs to another user", 0);
    (void)umask(0); /* the modes are then exactly those that are asked for */
    if (!make_folder(path))
        return explain(why, path, " cannot be made", errno);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        int error = errno;
        struct stat status;
        bool link = lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
        return link ? explain(why, path, " is a symbolic link, which is not followed", 0)
                    : explain(why, path, " cannot be opened", error);
    }
    bool good = is_private(folder, path, why) && has_room(folder, path, why) &&
                write_file(folder, path, head, body, why);
    (void)close(folder);
    return good;
}
