/*
 * leasehold-probe ready|live: what a kubelet executes in the agent's container, which has neither a shell nor curl. It asks
 * the agent of its own container, prints the reason, and ends with 0 or 1.
 */
#include "http.h"
#include "io.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/leasehold-agent/probe.sock"

enum {
    OK = 200,
    USAGE = 2,
    /* A kubelet waits as long as timeoutSeconds of the probe says, 1 s where that is not given. */
    PATIENCE_MS = 5000,
    ANSWER_DEPTH_MAX = 4,
    HEAD_SIZE = 128,
    LINE_SIZE = 4 * 1024,
};

static int say(struct text *line, int status) {
    text_char(line, '\n');
    return write_all(STDOUT_FILENO, text_as_span(line)) ? status : 1;
}

int main(int argc, char **argv) {
    char buffer[LINE_SIZE];
    struct text line = TEXT_IN(buffer);
    if (argc != 2 || (strcmp(argv[1], "ready") != 0 && strcmp(argv[1], "live") != 0)) {
        text_string(&line, "usage: leasehold-probe ready|live");
        return say(&line, USAGE);
    }
    const char *given = getenv("LEASEHOLD_PROBE_SOCKET");
    const char *path = given == NULL || *given == '\0' ? DEFAULT_SOCKET : given;
    char head_bytes[HEAD_SIZE];
    struct text head = TEXT_IN(head_bytes);
    text_string(&head, "GET /");
    text_string(&head, argv[1]);
    text_string(&head, " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    struct answer answer = {0};
    struct failure failure = {0};
    if (!http_exchange(path, text_as_span(&head), span_of(""), now_ms() + PATIENCE_MS, &answer, &failure)) {
        text_string(&line, failure.what);
        text_string(&line, " (socket ");
        text_string(&line, path);
        text_char(&line, ')');
        if (failure.error != 0) {
            text_string(&line, ": ");
            text_string(&line, strerror(failure.error));
        }
        return say(&line, 1);
    }
    struct span reason = {0};
    if (!json_is_object(answer.body, ANSWER_DEPTH_MAX) || !json_member(answer.body, "reason", &reason) ||
        !json_decode(reason, &line))
        text_string(&line, "the agent's answer cannot be understood");
    else if (answer.status == OK)
        return say(&line, 0);
    return say(&line, 1);
}
