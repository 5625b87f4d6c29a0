/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The few memory helpers that are not worth inlining.
 */

#include "util/macro.h"
#include <errno.h>

int replace_string(char **field, const char *value)
{
    char *copy = NULL;

    if (value) {
        copy = strdup(value);
        if (!copy)
            return -ENOMEM;
    }

    free(*field);
    *field = copy;
    return 0;
}
