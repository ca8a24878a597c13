/* Numbers and names of the CNI specification 1.1.0. */
#ifndef RELAY_CNI_H
#define RELAY_CNI_H

#define CNI_VERSION "1.1.0"
#define CNI_VERSIONS "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"

/* Error codes, section "Error"; from 100 on they are Leasehold's (docs/errors.md). */
enum cni_code {
    CNI_BAD_VERSION = 1,
    CNI_UNKNOWN_CONTAINER = 3,
    CNI_BAD_ENVIRONMENT = 4,
    CNI_IO_FAILURE = 5,
    CNI_CANNOT_DECODE = 6,
    CNI_BAD_CONFIG = 7,
    CNI_TRY_AGAIN_LATER = 11,
    CNI_NOT_AVAILABLE = 50,
    CNI_NOT_A_NAMESPACE = 104,
    CNI_LINK_FAILED = 107,
    CNI_NOT_PERMITTED = 111,
    CNI_CHECK_MISMATCH = 150,
};

#endif
