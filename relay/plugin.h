/* What every CNI plugin does: the verb and the configuration come in, one JSON object goes out. */
#ifndef RELAY_PLUGIN_H
#define RELAY_PLUGIN_H

#include "cni.h"
#include "text.h"

enum {
    MESSAGE_SIZE = 2 * 1024, /* of an error's message, and of its details */
};

/* Prints the text as it is; the exit status: `status`, or 1 where it cannot be written. */
int print(struct span text, int status);

/* Prints an error object; the exit status. No details: "". */
int print_error(const char *version, enum cni_code code, struct span message, const char *details);

/* The same for an error about one named thing. */
int print_refusal(const char *version, enum cni_code code, const char *key, const char *reason, const char *details);

/* So long, or LEASEHOLD_RELAY_TIMEOUT_MS where that is shorter. */
int64_t shortened_ms(int64_t patience);

/*
 * The verb of CNI_COMMAND. False where the call is over with the exit status: VERSION is answered, and whoever just tries
 * the program is told what it is (`about`). stdin is not read here: a person has a terminal there.
 */
bool is_to_run(const char *about, const char **command, int *status);

/* The network configuration: stdin to its end. False where that failed, which is printed. */
bool read_conf(int64_t deadline, struct span *conf, int *status);

#endif
