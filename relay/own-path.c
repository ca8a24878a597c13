#include "own-path.h"

#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    PROC_ROOT_INODE = 1, /* PROC_ROOT_INO (linux/proc_fs.h) */
    LINKS_MAX = 40, /* MAXSYMLINKS (linux/namei.h): beyond it the kernel says ELOOP */
};

static bool is_procfs(const char *folder) {
    struct statfs file_system;
    struct stat status;
    return statfs(folder, &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC &&
           stat(folder, &status) == 0 && status.st_ino == PROC_ROOT_INODE;
}

static bool is_number(struct span name) {
    size_t digits = 0;
    while (digits < name.len && name.data[digits] >= '0' && name.data[digits] <= '9')
        digits += 1;
    return digits == name.len;
}

/* Reads the link NAME in a folder; false when it is none. */
static bool read_link(struct text *folder, struct span name, char target[PATH_MAX], struct span *link) {
    size_t before = folder->used;
    text_char(folder, '/');
    text_span(folder, name);
    ssize_t length = folder->full ? -1 : readlink(text_end(folder), target, PATH_MAX);
    folder->used = before;
    folder->full = false;
    if (length <= 0 || length == PATH_MAX)
        return false;
    *link = (struct span){.data = target, .len = (size_t)length};
    return true;
}

/* The number of this process in the namespace that a procfs shows is what its link "self" says. */
static bool is_own(struct text *folder, struct span name) {
    bool by_word = span_equals(name, "self") || span_equals(name, "thread-self");
    if ((!by_word && !is_number(name)) || !is_procfs(text_end(folder)))
        return false;
    char target[PATH_MAX];
    struct span self = {0};
    return by_word || (read_link(folder, span_of("self"), target, &self) && self.len == name.len &&
                       memcmp(self.data, name.data, name.len) == 0);
}

static struct span next_name(struct span *rest) {
    while (rest->len > 0 && *rest->data == '/')
        *rest = (struct span){.data = rest->data + 1, .len = rest->len - 1};
    const char *slash = memchr(rest->data, '/', rest->len);
    struct span name = {.data = rest->data, .len = slash == NULL ? rest->len : (size_t)(slash - rest->data)};
    *rest = (struct span){.data = rest->data + name.len, .len = rest->len - name.len};
    return name;
}

static void leave_folder(struct text *folder) {
    while (folder->used > 0 && folder->data[folder->used - 1] != '/')
        folder->used -= 1;
    if (folder->used > 0)
        folder->used -= 1;
}

bool leads_to_own_process(struct span path) {
    /* Where the walk is, without links ("" is the root), and in turns what is left of it. */
    char folder_bytes[PATH_MAX];
    char rest_bytes[2][PATH_MAX];
    struct text folder = TEXT_IN(folder_bytes);
    struct span rest = path;
    unsigned links = 0;
    for (;;) {
        struct span name = next_name(&rest);
        if (name.len == 0)
            return false;
        if (span_equals(name, "."))
            continue;
        if (span_equals(name, "..")) {
            leave_folder(&folder);
            continue;
        }
        if (is_own(&folder, name))
            return true;
        char target[PATH_MAX];
        struct span link = {0};
        if (!read_link(&folder, name, target, &link)) {
            text_char(&folder, '/');
            text_span(&folder, name);
            if (folder.full)
                return false;
            continue;
        }
        links += 1;
        if (links > LINKS_MAX)
            return false;
        struct text joined = TEXT_IN(rest_bytes[links % 2]);
        text_span(&joined, link);
        text_span(&joined, rest);
        if (joined.full)
            return false;
        rest = text_as_span(&joined);
        if (*link.data == '/')
            folder.used = 0;
    }
}
