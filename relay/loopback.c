/*
 * The CNI plugin `loopback`: it switches a container's `lo` on. Runtimes call it for each pod beside the pod's network,
 * whoever makes that, so it asks nobody: there need be no daemon.
 */
#include "io.h"
#include "json.h"
#include "lo.h"
#include "plugin.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    CONF_DEPTH_MAX = 64, /* as the daemon's */
    STDIN_PATIENCE_MS = 60 * 1000,
    VERSION_TEXT_SIZE = 16,
    RESULT_SIZE = 6 * PATH_MAX + 1024, /* JSON makes at most six bytes of one */
};

/* Oldest first. */
static const char *const versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", CNI_VERSION};
static const size_t versions_count = sizeof(versions) / sizeof(versions[0]);
enum { V0_1_0, V0_2_0, V0_3_0, V0_3_1, V0_4_0, V1_0_0, V1_1_0 };

/* One call of the plugin. */
struct call {
    size_t version;
    const char *namespace;
    struct span prev_result; /* what the plugin before has answered; empty where there is none */
};

typedef int act(const struct call *call);

static act add;
static act check;
static act delete;
static act nothing;

static const struct verb {
    const char *name;
    size_t since;
    const char *needs[3];
    act *act;
} verbs[] = {
    {"ADD", V0_1_0, {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}, add},
    {"CHECK", V0_4_0, {"CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"}, check},
    {"DEL", V0_1_0, {"CNI_CONTAINERID", "CNI_IFNAME"}, delete},
    {"GC", V1_1_0, {0}, nothing},
    {"STATUS", V1_1_0, {0}, nothing},
};

static bool is_set(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL && *value != '\0';
}

static int report(const struct call *call, const struct lo_failure *failure) {
    char buffer[MESSAGE_SIZE];
    struct text message = TEXT_IN(buffer);
    text_string(&message, failure->what);
    if (failure->error != 0) {
        text_string(&message, ": ");
        text_string(&message, strerror(failure->error));
    }
    /* The path is last, because it may be longer than there is room for. */
    text_string(&message, " (CNI_NETNS ");
    text_string(&message, call->namespace);
    text_char(&message, ')');
    return print_error(versions[call->version], failure->code, text_as_span(&message), "");
}

static bool enter(const struct call *call, struct lo_failure *failure) {
    const char *override = getenv("CNI_NETNS_OVERRIDE");
    bool own_too = override != NULL && (strcmp(override, "1") == 0 || strcasecmp(override, "true") == 0);
    return enter_namespace(call->namespace, own_too, failure);
}

/* Of 0.1.0 and 0.2.0; there `dns` is not optional. */
static void write_old_result(struct text *out, const struct lo_addresses *addresses) {
    const char *const families[][2] = {{"ip4", addresses->ipv4}, {"ip6", addresses->ipv6}};
    for (size_t at = 0; at < 2; at += 1) {
        if (*families[at][1] == '\0')
            continue;
        text_string(out, ",\"");
        text_string(out, families[at][0]);
        text_string(out, "\":{\"ip\":\"");
        text_string(out, families[at][1]);
        text_string(out, "\"}");
    }
    text_string(out, ",\"dns\":{}");
}

static void write_result(struct text *out, const struct call *call, const struct lo_addresses *addresses) {
    text_string(out, ",\"interfaces\":[{\"name\":\"lo\",\"mac\":\"00:00:00:00:00:00\",\"sandbox\":");
    text_json(out, span_of(call->namespace));
    text_string(out, "}]");
    const char *const families[][2] = {{"4", addresses->ipv4}, {"6", addresses->ipv6}};
    const char *separator = ",\"ips\":[";
    for (size_t at = 0; at < 2; at += 1) {
        if (*families[at][1] == '\0')
            continue;
        text_string(out, separator);
        separator = ",";
        text_char(out, '{');
        if (call->version < V1_0_0) {
            text_string(out, "\"version\":\"");
            text_string(out, families[at][0]);
            text_string(out, "\",");
        }
        text_string(out, "\"interface\":0,\"address\":\"");
        text_string(out, families[at][1]);
        text_string(out, "\"}");
    }
    if (*addresses->ipv4 != '\0' || *addresses->ipv6 != '\0')
        text_char(out, ']');
}

static int add(const struct call *call) {
    struct lo_failure failure;
    struct lo lo;
    struct lo_addresses addresses;
    if (!enter(call, &failure) || !lo_open(&lo, &failure) || !lo_set(&lo, true, &failure))
        return report(call, &failure);
    /* Of a chain: the result is still that of the plugins before, in whatever version it is. */
    if (call->prev_result.len > 0)
        return print(call->prev_result, 0);
    if (!lo_read_addresses(&lo, &addresses, &failure))
        return report(call, &failure);
    static char buffer[RESULT_SIZE];
    struct text out = TEXT_IN(buffer);
    text_string(&out, "{\"cniVersion\":\"");
    text_string(&out, versions[call->version]);
    text_char(&out, '"');
    if (call->version < V0_3_0)
        write_old_result(&out, &addresses);
    else
        write_result(&out, call, &addresses);
    text_string(&out, "}\n");
    return print(text_as_span(&out), 0);
}

static int check(const struct call *call) {
    struct lo_failure failure;
    struct lo lo;
    if (!enter(call, &failure) || !lo_open(&lo, &failure))
        return report(call, &failure);
    if (lo_is_up(&lo))
        return 0;
    failure = (struct lo_failure){.code = CNI_CHECK_MISMATCH, .what = "the interface lo is down", .error = 0};
    return report(call, &failure);
}

static int delete(const struct call *call) {
    struct lo_failure failure;
    struct lo lo;
    if (*call->namespace == '\0')
        return 0;
    if (!enter(call, &failure))
        return failure.gone ? 0 : report(call, &failure);
    return lo_open(&lo, &failure) && lo_set(&lo, false, &failure) ? 0 : report(call, &failure);
}

static int nothing(const struct call *call) {
    (void)call;
    return 0;
}

static int refuse(const struct call *call, enum cni_code code, const char *key, const char *reason) {
    return print_refusal(versions[call->version], code, key, reason, "");
}

/* Reads what of the configuration counts; the keys as Go's encoding/json takes them. False: it is refused, and printed. */
static bool read_keys(struct span conf, struct call *call, int *status) {
    struct span value = {0};
    char buffer[VERSION_TEXT_SIZE];
    struct text version = TEXT_IN(buffer);
    *status = 1;
    if (!json_is_object(conf, CONF_DEPTH_MAX)) {
        *status = refuse(call, CNI_CANNOT_DECODE, "the network configuration on stdin",
                         "is not a JSON object of UTF-8 text that nests at most 64 levels");
        return false;
    }
    bool given = json_member_folded(conf, "cniVersion", &value) && !span_equals(value, "null");
    if (given && !json_is_string(value)) {
        *status = refuse(call, CNI_BAD_CONFIG, "cniVersion", "must be a string");
        return false;
    }
    bool readable = !given || json_decode(value, &version);
    size_t at = 0;
    /* Without one it is the first, which did not have the key. */
    while (version.used > 0 && at < versions_count && !span_equals(text_as_span(&version), versions[at]))
        at += 1;
    if (!readable || at == versions_count) {
        *status = refuse(call, CNI_BAD_VERSION, "cniVersion", "is none of " CNI_VERSIONS);
        return false;
    }
    call->version = at;
    if (!json_member_folded(conf, "name", &value) || !json_is_string(value) || span_equals(value, "\"\"")) {
        *status = refuse(call, CNI_BAD_CONFIG, "name", "must be a string that is not empty: the name of the network");
        return false;
    }
    if (!json_member_folded(conf, "prevResult", &value) || span_equals(value, "null"))
        return true;
    call->prev_result = value;
    if (*value.data == '{')
        return true;
    *status = refuse(call, CNI_BAD_CONFIG, "prevResult", "must be an object");
    return false;
}

static const struct verb *find_verb(const char *command) {
    for (size_t at = 0; at < sizeof(verbs) / sizeof(verbs[0]); at += 1) {
        if (strcmp(verbs[at].name, command) == 0)
            return &verbs[at];
    }
    return NULL;
}

int main(void) {
    const char *command = NULL;
    int status = 0;
    if (!is_to_run("This is the CNI plugin loopback of Leasehold, which container runtimes execute.", &command, &status))
        return status;
    struct call call = {.version = V1_1_0};
    const struct verb *verb = find_verb(command);
    if (verb == NULL)
        return refuse(&call, CNI_BAD_ENVIRONMENT, "CNI_COMMAND", "is none of ADD, DEL, CHECK, GC, STATUS, VERSION");
    for (size_t at = 0; at < sizeof(verb->needs) / sizeof(verb->needs[0]); at += 1) {
        if (verb->needs[at] != NULL && !is_set(verb->needs[at]))
            return refuse(&call, CNI_BAD_ENVIRONMENT, verb->needs[at], "is not set");
    }
    call.namespace = is_set("CNI_NETNS") ? getenv("CNI_NETNS") : "";
    struct span conf = {0};
    if (!read_conf(now_ms() + shortened_ms(STDIN_PATIENCE_MS), &conf, &status) || !read_keys(conf, &call, &status))
        return status;
    if (call.version < verb->since)
        return refuse(&call, CNI_BAD_VERSION, command, "is not in the cniVersion of the configuration");
    return verb->act(&call);
}
