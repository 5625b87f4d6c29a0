#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What jansson's own headers lack. json_decrefp() they have. */

#include "util/buf.h"
#include "util/macro.h"
#include <jansson.h>

#define _cleanup_json_ _cleanup_(json_decrefp)

/** json_string_or_null() - a JSON string, or null for NULL */
static inline json_t *json_string_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

/** json_put_string() - append the string as json_dumps() writes it, NULL as null; 0 or -ENOMEM */
int json_put_string(Buf *buf, const char *s);

/** json_put_member() - append text that ends in a member's name, `,"owner":`, and its value; 0 or -ENOMEM */
int json_put_member(Buf *buf, const char *name, const char *value);
