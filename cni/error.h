#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Failure in the words of the CNI specification. */

#include "util/macro.h"

/* "code" of an error result: below 100 as the specification has them, from 100 on our own. */
typedef enum CniCode {
    CNI_CODE_VERSION = 1,      /* this version of the specification, or the command in it, is not supported */
    CNI_CODE_ENVIRONMENT = 4,  /* a CNI_ variable is missing or wrong */
    CNI_CODE_IO = 5,           /* reading the configuration, looking into the namespace, no memory */
    CNI_CODE_DECODE = 6,       /* the configuration is not JSON */
    CNI_CODE_CONFIG = 7,       /* the configuration is wrong */
    CNI_CODE_AGAIN = 11,       /* the daemon is not there, busy, or slow: try again later */
    CNI_CODE_UNAVAILABLE = 50, /* STATUS: ADD would fail now */
    CNI_CODE_REFUSED = 100,    /* the daemon refuses an address for good; the text says why */
    CNI_CODE_MISSING = 101,    /* CHECK: an address is not registered */
} CniCode;

typedef struct CniError {
    CniCode code;
    char message[512];  /* one line */
    char details[1024]; /* more, or "" */
} CniError;

/** cni_error() - fill in an error without details; -EPROTO, for the caller to return */
int cni_error(CniError *ret_error, CniCode code, const char *format, ...) _printf_(3, 4);

/** cni_error_add() - append a sentence to the details; what does not fit is cut off */
void cni_error_add(CniError *error, const char *format, ...) _printf_(2, 3);
