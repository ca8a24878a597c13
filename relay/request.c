#include "request.h"

#include "own-path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { PLAIN, PATH, PATH_LIST };

static const struct variable {
    const char *name;
    const char *header;
    enum kind kind;
} carried[] = {
    {"CNI_COMMAND", "Cni-Command", PLAIN},
    {"CNI_CONTAINERID", "Cni-Containerid", PLAIN},
    {"CNI_NETNS", "Cni-Netns", PATH},
    {"CNI_IFNAME", "Cni-Ifname", PLAIN},
    {"CNI_ARGS", "Cni-Args", PLAIN},
    {"CNI_PATH", "Cni-Path", PATH_LIST},
    {"CNI_NETNS_OVERRIDE", "Cni-Netns-Override", PLAIN},
};

/* No byte of a value can then end a header or the head. */
static void put_encoded(struct text *out, struct span value) {
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~/:;=,@-";
    static const char hex[] = "0123456789ABCDEF";
    for (size_t at = 0; at < value.len; at += 1) {
        unsigned char byte = (unsigned char)value.data[at];
        if (byte != '\0' && strchr(kept, byte) != NULL) {
            text_char(out, (char)byte);
        } else {
            text_char(out, '%');
            text_char(out, hex[byte >> 4]);
            text_char(out, hex[byte & 0xf]);
        }
    }
}

/* The daemon has another working directory: a relative path would mean something else there. */
static bool put_absolute(struct text *out, struct span path) {
    if (path.len > 0 && path.data[0] != '/') {
        char cwd[PATH_MAX];
        /* The kernel says "(unreachable)/..." for a directory outside of the process's root. */
        if (getcwd(cwd, sizeof(cwd)) == NULL || cwd[0] != '/')
            return false;
        text_string(out, cwd);
        text_char(out, '/');
    }
    text_span(out, path);
    return true;
}

static bool is_own_since(const struct text *out, size_t start) {
    return leads_to_own_process((struct span){.data = out->data + start, .len = out->used - start});
}

/* Without the folders that the daemon would look for in its own process. */
static bool put_absolute_list(struct text *out, const char *list) {
    for (;;) {
        size_t length = strcspn(list, ":");
        size_t start = out->used;
        if (!put_absolute(out, (struct span){.data = list, .len = length}))
            return false;
        if (!out->full && is_own_since(out, start))
            out->used = start;
        if (list[length] == '\0' || out->full)
            return true;
        text_char(out, ':');
        list += length + 1;
    }
}

/* What is attached has to have a path that lasts; a DEL without one goes by what the daemon remembers. */
static bool needs_namespace(void) {
    const char *command = getenv("CNI_COMMAND");
    return command != NULL && (strcmp(command, "ADD") == 0 || strcmp(command, "CHECK") == 0);
}

static bool put_namespace(struct text *out, const char *path, const char **reason) {
    size_t start = out->used;
    if (!put_absolute(out, span_of(path)))
        return false;
    if (out->full || !is_own_since(out, start))
        return true;
    *reason = "names a file of the plugin's own process, as /proc/self does, which is another one in the daemon: "
              "give a path that is the same for all, such as /run/netns/NAME or /proc/PID/ns/net of the container";
    out->used = start;
    return !needs_namespace();
}

static bool put_value(struct text *out, enum kind kind, const char *value, const char **reason) {
    switch (kind) {
    case PATH:
        return put_namespace(out, value, reason);
    case PATH_LIST:
        return put_absolute_list(out, value);
    case PLAIN:
        break;
    }
    text_string(out, value);
    return true;
}

static bool put_variables(struct text *head, struct variable_refusal *refusal) {
    static char buffer[ENVIRONMENT_MAX];
    struct text values = TEXT_IN(buffer); /* all of them: the bound is for their sum */
    for (size_t index = 0; index < sizeof(carried) / sizeof(carried[0]); index += 1) {
        const struct variable *variable = &carried[index];
        const char *value = getenv(variable->name);
        if (value == NULL)
            continue;
        size_t start = values.used;
        refusal->variable = variable->name;
        refusal->reason = "is a relative path, and the working directory cannot be told";
        if (!put_value(&values, variable->kind, value, &refusal->reason))
            return false;
        if (values.full) {
            refusal->reason = "is too long: all CNI_* variables together may have 32 KiB";
            return false;
        }
        text_string(head, variable->header);
        text_string(head, ": ");
        put_encoded(head, (struct span){.data = buffer + start, .len = values.used - start});
        text_string(head, "\r\n");
    }
    return true;
}

bool request_head(struct text *head, const char *plugin, size_t body_len, struct variable_refusal *refusal) {
    text_string(head, "POST /cni/");
    put_encoded(head, (struct span){.data = plugin, .len = strnlen(plugin, PLUGIN_MAX)});
    text_string(head, " HTTP/1.1\r\nHost: leasehold\r\nContent-Type: application/json\r\nContent-Length: ");
    text_number(head, body_len, 1);
    text_string(head, "\r\nConnection: close\r\n");
    if (!put_variables(head, refusal))
        return false;
    text_string(head, "\r\n");
    return true;
}
