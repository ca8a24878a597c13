#include "conf.h"

#include "cni.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* The test build has another one, so that no test can meet a daemon that really runs on the machine. */
#ifndef RELAY_DEFAULT_SOCKET
#define RELAY_DEFAULT_SOCKET "/run/leasehold/leasehold.sock"
#endif

static bool refuse(struct path_refusal *refusal, const char *reason) {
    refusal->reason = reason;
    return false;
}

static bool copy_path(struct span from, char path[SOCKET_PATH_SIZE], struct path_refusal *refusal) {
    if (from.len == 0 || from.data[0] != '/')
        return refuse(refusal, "must be an absolute path");
    if (memchr(from.data, '\0', from.len) != NULL)
        return refuse(refusal, "must not hold a NUL character");
    if (from.len >= SOCKET_PATH_SIZE)
        return refuse(refusal, "must be at most 107 bytes long, the kernel's limit for a UNIX socket");
    memcpy(path, from.data, from.len);
    path[from.len] = '\0';
    return true;
}

typedef bool member_finder(struct span object, const char *name, struct span *value);

bool conf_socket(struct span conf, const char *plugin, char path[SOCKET_PATH_SIZE], struct path_refusal *refusal) {
    const char *variable = getenv("LEASEHOLD_SOCKET");
    if (variable != NULL && *variable != '\0') {
        *refusal = (struct path_refusal){.key = "LEASEHOLD_SOCKET", .code = CNI_BAD_ENVIRONMENT};
        return copy_path(span_of(variable), path, refusal);
    }
    bool in_ipam = strcmp(plugin, "dhcp") == 0;
    *refusal = (struct path_refusal){
        .key = in_ipam ? "ipam.daemonSocketPath" : "daemonSocketPath",
        .code = CNI_BAD_CONFIG,
    };
    struct span value = {0};
    /* As the daemon reads these plugins' configurations, too; "leasehold" has its keys as they are spelled. */
    member_finder *find = strcmp(plugin, "leasehold") == 0 ? json_member : json_member_folded;
    bool given = json_is_object(conf, JSON_DEPTH_MAX) && (!in_ipam || find(conf, "ipam", &conf)) &&
                 find(conf, "daemonSocketPath", &value);
    /* null and "" mean "not set", as for the plugins that are replaced. */
    if (!given || span_equals(value, "null") || span_equals(value, "\"\""))
        return copy_path(span_of(RELAY_DEFAULT_SOCKET), path, refusal);
    /* One byte more than fits, so that copy_path sees what is too long. */
    char buffer[SOCKET_PATH_SIZE + 1];
    struct text decoded = TEXT_IN(buffer);
    if (!json_decode(value, &decoded))
        return refuse(refusal, json_is_string(value) ? "must be valid Unicode" : "must be a string");
    return copy_path(text_as_span(&decoded), path, refusal);
}

void conf_version(struct span conf, char version[VERSION_SIZE]) {
    struct span value = {0};
    bool sane = json_is_object(conf, JSON_DEPTH_MAX) && json_member(conf, "cniVersion", &value) &&
                json_is_string(value) && value.len > 2 && value.len - 2 < VERSION_SIZE;
    struct span bare = sane ? (struct span){.data = value.data + 1, .len = value.len - 2} : span_of(CNI_VERSION);
    for (size_t at = 0; at < bare.len; at += 1) {
        if ((bare.data[at] < '0' || bare.data[at] > '9') && bare.data[at] != '.')
            bare = span_of(CNI_VERSION);
    }
    memcpy(version, bare.data, bare.len);
    version[bare.len] = '\0';
}
