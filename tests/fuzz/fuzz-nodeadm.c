/* SPDX-License-Identifier: Apache-2.0 */

/* Files of nodeadm's configuration, which users write: a setting is found whatever stands around it. */

#include "nodeadm.h"
#include "util/macro.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    _cleanup_(freep) char *text = strndup((const char *)data, n);
    _cleanup_(freep) char *more = NULL;

    if (!text || asprintf(&more, "%s\nmaxPods: 1\n", text) < 0)
        abort();
    (void)nodeadm_sets_max_pods(text);
    if (!nodeadm_sets_max_pods(more))
        abort();
    return 0;
}
