/* What the plugins themselves read of a network configuration: a path that can be used, or a refusal with its reason. */
#include "../cni.h"
#include "../conf.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_socket(struct span conf, const char *plugin) {
    char path[SOCKET_PATH_SIZE];
    struct path_refusal refusal = {0};
    if (conf_socket(conf, plugin, path, &refusal)) {
        HOLDS(path[0] == '/' && strnlen(path, sizeof(path)) < sizeof(path));
        return;
    }
    HOLDS(refusal.key != NULL && refusal.reason != NULL && refusal.code == CNI_BAD_CONFIG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *copy = copy_of(data, size);
    struct span conf = {.data = copy, .len = size};
    check_socket(conf, "leasehold");
    check_socket(conf, "macvlan");
    check_socket(conf, "dhcp");
    char version[VERSION_SIZE];
    conf_version(conf, version);
    HOLDS(strnlen(version, sizeof(version)) < sizeof(version));
    HOLDS(version[0] != '\0' && version[strspn(version, "0123456789.")] == '\0');
    free(copy);
    return 0;
}
