/* Numbers and names of the CNI specification 1.1.0. */
#ifndef RELAY_CNI_H
#define RELAY_CNI_H

#define CNI_VERSION "1.1.0"
#define CNI_VERSIONS "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"

/* Error codes, section "Error". */
enum cni_code {
    CNI_BAD_ENVIRONMENT = 4,
    CNI_IO_FAILURE = 5,
    CNI_CANNOT_DECODE = 6,
    CNI_BAD_CONFIG = 7,
    CNI_TRY_AGAIN_LATER = 11,
    CNI_NOT_AVAILABLE = 50,
};

#endif
