/*
 * The relay: the program that a container runtime executes as CNI plugin. It carries the call to Leasehold's daemon
 * and the answer back; all else is the daemon's. It lives for the millisecond that one call takes, so it is static,
 * small, without allocations, and believes neither the runtime nor the daemon.
 */
#include "cni.h"
#include "conf.h"
#include "http.h"
#include "io.h"
#include "json.h"
#include "peer.h"
#include "plugin.h"
#include "request.h"
#include "spool.h"
#include "start.h"

#include <errno.h>
#include <string.h>

enum {
    ANSWER_DEPTH_MAX = 64,
    NOT_READY = 503, /* the daemon is starting or stopping */
    ERROR_CODE_DIGITS = 9, /* fits the runtimes' unsigned int whatever its size */
    /* The daemon's own deadlines end before; these are for a daemon that hangs. */
    PATIENCE_MS = 300 * 1000,
    CLEANUP_PATIENCE_MS = 60 * 1000, /* DEL and GC: what is not done now can be done later */
    /*
     * A kubelet that hears nothing of its runtime for 30 s (kubelet.go, maxWaitForContainerRuntime) leaves all pods alone, also
     * the one of the daemon that hangs, which its liveness probe would have started anew; and the runtime's answer waits for this.
     */
    STATUS_PATIENCE_MS = 10 * 1000,
    /* A daemon is ready in some 200 ms, one that was killed is started again after RestartSec=1; with room to spare. */
    START_PATIENCE_MS = 5 * 1000,
    /* Doubled from the one to the other: short beside a start, no load when a hundred relays wait for one daemon. */
    FIRST_PAUSE_MS = 10,
    LONGEST_PAUSE_MS = 160,
};

static char head_bytes[REQUEST_HEAD_MAX];

/* One call of the plugin. */
struct call {
    const char *plugin;
    const char *command;
    char version[VERSION_SIZE]; /* of the configuration, for error objects */
    char socket_path[SOCKET_PATH_SIZE];
};

static bool is_one_of(const char *command, const char *one, const char *other) {
    return strcmp(command, one) == 0 || strcmp(command, other) == 0;
}

static bool can_be_kept(const struct call *call) {
    return is_one_of(call->command, "DEL", "GC");
}

static int64_t patience_ms(const struct call *call) {
    bool is_status = strcmp(call->command, "STATUS") == 0;
    return shortened_ms(is_status ? STATUS_PATIENCE_MS : can_be_kept(call) ? CLEANUP_PATIENCE_MS : PATIENCE_MS);
}

/* An error object as runtimes can read it: `code` a positive whole number, `msg` a string. */
static bool is_cni_error(struct span body) {
    struct span code = {0};
    struct span message = {0};
    if (!json_is_object(body, ANSWER_DEPTH_MAX) || !json_member(body, "code", &code) ||
        !json_member(body, "msg", &message))
        return false;
    size_t digits = 0;
    while (digits < code.len && code.data[digits] >= '0' && code.data[digits] <= '9')
        digits += 1;
    return digits == code.len && digits <= ERROR_CODE_DIGITS && code.data[0] != '0' && json_is_string(message);
}

/* Whether the answer can be handed to the runtime as it is. */
static bool is_sound(const struct call *call, const struct answer *answer, struct failure *failure) {
    *failure = (struct failure){.what = "the daemon's answer is not what was asked for", .error = 0, .connected = true};
    if (answer->status == NOT_READY) {
        failure->what = "the daemon is not ready yet";
        return false;
    }
    if (answer->status != 200) {
        failure->what = "the daemon's answer is neither a success nor a CNI error";
        return is_cni_error(answer->body);
    }
    if (answer->body.len == 0) {
        failure->what = "the daemon's answer is empty";
        /* An ADD has a result; and without a length, nothing may also be all that a dying daemon could say. */
        return answer->counted && strcmp(call->command, "ADD") != 0;
    }
    failure->what = "the daemon's answer is not a JSON object";
    return json_is_object(answer->body, ANSWER_DEPTH_MAX);
}

static void describe(struct text *message, const struct call *call, const struct answer *answer,
                     const struct failure *failure) {
    text_string(message, failure->what);
    text_string(message, " (socket ");
    text_string(message, call->socket_path);
    text_char(message, ')');
    if (failure->error != 0) {
        text_string(message, ": ");
        text_string(message, strerror(failure->error));
    }
    if (failure->impostor) {
        text_string(message, ": it is neither root's nor of the owner of the socket's folder");
        if (failure->user != PEER_UNKNOWN) {
            text_string(message, ", but of user ");
            text_number(message, (uint64_t)failure->user, 1);
        }
    }
    /* A daemon that is not ready may say what it waits for. */
    struct span reason = {0};
    if (answer->status == NOT_READY && is_cni_error(answer->body) && json_member(answer->body, "msg", &reason)) {
        text_string(message, ": ");
        (void)json_decode(reason, message);
    }
}

static void advise(struct text *hint, const struct call *call, const struct answer *answer,
                   const struct failure *failure) {
    if (failure->impostor) {
        text_string(hint, "Find it with `ss -xlp`, stop it, remove the socket, and start the daemon as root with "
                          "`leasehold daemon --socket ");
        text_string(hint, call->socket_path);
        text_string(hint, "`.");
        return;
    }
    /* A socket that refuses is what a killed daemon leaves: there a person has to look. */
    bool on_its_way = failure->error == ENOENT && is_starting(call->socket_path, failure->error);
    if (answer->status == NOT_READY || on_its_way) {
        text_string(hint, "The daemon is starting or stopping: try again in a moment.");
        return;
    }
    if (failure->error == EACCES) {
        text_string(hint, "The daemon serves root alone. A container that its user runs without root (rootless) cannot be on "
                          "the LAN: run it as root.");
        return;
    }
    text_string(hint, "Is the daemon running? Start it as root with `leasehold daemon --socket ");
    text_string(hint, call->socket_path);
    text_string(hint, "`.");
}

/* The daemon has not answered: keep what can be done later, report the rest. */
static int do_without_daemon(const struct call *call, struct span head, struct span conf,
                             const struct answer *answer, const struct failure *failure) {
    char buffer[MESSAGE_SIZE];
    struct text message = TEXT_IN(buffer);
    describe(&message, call, answer, failure);
    if (can_be_kept(call)) {
        text_string(&message, "; and the request cannot be kept for later: ");
        if (spool_write(call->socket_path, head, conf, &message))
            return 0;
    }
    char hint_buffer[MESSAGE_SIZE];
    struct text hint = TEXT_IN(hint_buffer);
    advise(&hint, call, answer, failure);
    enum cni_code code = strcmp(call->command, "STATUS") == 0 ? CNI_NOT_AVAILABLE : CNI_TRY_AGAIN_LATER;
    return print_error(call->version, code, text_as_span(&message), text_end(&hint));
}

/*
 * Asks the daemon; one that is starting is asked again, for a while. Once seen it may be away between two looks: it is
 * being restarted. Nothing is sent twice to a daemon that may have begun with it; one that goes away without having read
 * the request has not. DEL and GC do not wait: they are kept.
 */
static bool ask(const struct call *call, struct span head, struct span conf, int64_t deadline, struct answer *answer,
                struct failure *failure) {
    int64_t patience = now_ms() + START_PATIENCE_MS;
    int64_t until = patience < deadline ? patience : deadline;
    bool seen = false;
    for (int pause = FIRST_PAUSE_MS;; pause = 2 * pause < LONGEST_PAUSE_MS ? 2 * pause : LONGEST_PAUSE_MS) {
        *answer = (struct answer){0};
        *failure = (struct failure){0};
        if (http_exchange(call->socket_path, head, conf, deadline, answer, failure) &&
            is_sound(call, answer, failure))
            return true;
        bool refused = answer->status == NOT_READY;
        bool not_begun = refused || failure->unread;
        seen = seen || not_begun || (!failure->connected && is_starting(call->socket_path, failure->error));
        /* The last look has time for an answer: its failure is what the runtime is told. */
        bool late = left_ms(until) <= pause + LONGEST_PAUSE_MS;
        if (can_be_kept(call) || !seen || (failure->connected && !not_begun) || late)
            return false;
        pause_ms(pause);
    }
}

static int carry(struct call *call, struct span conf, int64_t deadline) {
    struct path_refusal bad_path = {0};
    if (!conf_socket(conf, call->plugin, call->socket_path, &bad_path))
        return print_refusal(call->version, bad_path.code, bad_path.key, bad_path.reason,
                             "It names the UNIX socket of Leasehold's daemon.");
    struct text head = TEXT_IN(head_bytes);
    struct variable_refusal bad_variable = {0};
    if (!request_head(&head, call->plugin, conf.len, &bad_variable))
        return print_refusal(call->version, CNI_BAD_ENVIRONMENT, bad_variable.variable, bad_variable.reason,
                             "The runtime sets it for the plugin; see the CNI specification, section \"Parameters\".");
    struct answer answer = {0};
    struct failure failure = {0};
    if (ask(call, text_as_span(&head), conf, deadline, &answer, &failure))
        return print(answer.body, answer.status == 200 ? 0 : 1);
    return do_without_daemon(call, text_as_span(&head), conf, &answer, &failure);
}

static const char *plugin_name(const char *path) {
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    return name == NULL || *name == '\0' ? "leasehold" : name;
}

int main(int argc, char **argv) {
    struct call call = {.plugin = plugin_name(argc > 0 ? argv[0] : NULL)};
    int status = 0;
    if (!is_to_run("This is a CNI plugin of Leasehold, which container runtimes execute. The daemon is started as root "
                   "with `leasehold daemon --socket PATH`.",
                   &call.command, &status))
        return status;
    int64_t deadline = now_ms() + patience_ms(&call);
    struct span conf = {0};
    if (!read_conf(deadline, &conf, &status))
        return status;
    conf_version(conf, call.version);
    return carry(&call, conf, deadline);
}
