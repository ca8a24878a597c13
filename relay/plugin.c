#include "plugin.h"

#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONF_MAX = 1024 * 1024,
    ERROR_SIZE = 2 * 6 * MESSAGE_SIZE + 1024, /* two texts, of which JSON makes at most six bytes of one */
};

static char conf_bytes[CONF_MAX + 1]; /* one more, to see that there is too much */

int print(struct span text, int status) {
    return write_all(STDOUT_FILENO, text) ? status : 1;
}

int print_error(const char *version, enum cni_code code, struct span message, const char *details) {
    char buffer[ERROR_SIZE];
    struct text out = TEXT_IN(buffer);
    text_string(&out, "{\"cniVersion\":");
    text_json(&out, span_of(version));
    text_string(&out, ",\"code\":");
    text_number(&out, (uint64_t)code, 1);
    text_string(&out, ",\"msg\":");
    text_json(&out, message);
    if (*details != '\0') {
        text_string(&out, ",\"details\":");
        text_json(&out, span_of(details));
    }
    text_string(&out, "}\n");
    return print(text_as_span(&out), 1);
}

int print_refusal(const char *version, enum cni_code code, const char *key, const char *reason, const char *details) {
    char buffer[MESSAGE_SIZE];
    struct text message = TEXT_IN(buffer);
    text_string(&message, key);
    text_char(&message, ' ');
    text_string(&message, reason);
    return print_error(version, code, text_as_span(&message), details);
}

int64_t shortened_ms(int64_t patience) {
    const char *shorter = getenv("LEASEHOLD_RELAY_TIMEOUT_MS");
    if (shorter == NULL || *shorter == '\0')
        return patience;
    int64_t value = 0;
    for (; *shorter >= '0' && *shorter <= '9' && value < patience; shorter += 1)
        value = value * 10 + (*shorter - '0');
    /* It may only shorten: whatever is longer, or no number at all, changes nothing. */
    return *shorter == '\0' && value < patience ? value : patience;
}

static bool ends_with(int *status, int value) {
    *status = value;
    return false;
}

bool is_to_run(const char *about, const char **command, int *status) {
    /* Without a stdout the next file opened would get its number, and be written the runtime's answer. */
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
        return ends_with(status, 1);
    *command = getenv("CNI_COMMAND");
    if (*command == NULL || **command == '\0')
        return ends_with(status,
                         print_refusal(CNI_VERSION, CNI_BAD_ENVIRONMENT, "CNI_COMMAND", "is not set", about));
    if (strcmp(*command, "VERSION") != 0)
        return true;
    struct span versions = span_of("{\"cniVersion\":\"" CNI_VERSION "\",\"supportedVersions\":" CNI_VERSIONS "}\n");
    return ends_with(status, print(versions, 0));
}

/* 0, or an errno; EFBIG when there is more than CONF_MAX. */
static int read_stdin(int64_t deadline, struct span *conf) {
    size_t used = 0;
    while (used < sizeof(conf_bytes)) {
        if (wait_for(STDIN_FILENO, POLLIN, deadline) == 0)
            return ETIMEDOUT;
        ssize_t count = read(STDIN_FILENO, conf_bytes + used, sizeof(conf_bytes) - used);
        if (count == 0)
            break;
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            return errno;
        used += count > 0 ? (size_t)count : 0;
    }
    FENCE(conf_bytes, used);
    *conf = (struct span){.data = conf_bytes, .len = used};
    return used <= CONF_MAX ? 0 : EFBIG;
}

bool read_conf(int64_t deadline, struct span *conf, int *status) {
    int error = read_stdin(deadline, conf);
    if (error == 0)
        return true;
    if (error == EFBIG)
        return ends_with(status, print_refusal(CNI_VERSION, CNI_CANNOT_DECODE, "the network configuration on stdin",
                                               "is larger than 1 MiB (1048576 bytes)", ""));
    return ends_with(status,
                     print_refusal(CNI_VERSION, CNI_IO_FAILURE, "the network configuration cannot be read from stdin:",
                                   strerror(error), ""));
}
