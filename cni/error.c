/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What becomes of a failure: the plugin prints one JSON object for the runtime, which shows "msg" and
 * "details" in the pod's events. So every function that can fail takes a CniError and fills it in where
 * the cause is known; its negative return only says that it did. The texts have fixed ceilings: an error
 * must be reportable when memory is short, and an event of kubelet is cut at a kilobyte anyway.
 */

#include "cni/error.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int cni_error(CniError *ret_error, CniCode code, const char *format, ...)
{
    va_list arguments;

    *ret_error = (CniError){.code = code};
    va_start(arguments, format);
    (void)vsnprintf(ret_error->message, sizeof(ret_error->message), format, arguments);
    va_end(arguments);
    return -EPROTO;
}

void cni_error_add(CniError *error, const char *format, ...)
{
    size_t n = strlen(error->details);
    va_list arguments;

    if (n > 0)
        n += (size_t)MAX(snprintf(error->details + n, sizeof(error->details) - n, " "), 0);
    if (n >= sizeof(error->details))
        return;
    va_start(arguments, format);
    (void)vsnprintf(error->details + n, sizeof(error->details) - n, format, arguments);
    va_end(arguments);
}
