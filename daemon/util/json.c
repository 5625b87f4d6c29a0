/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON text without a tree. A document of a thousand like objects takes jansson a table for each of them,
 * in time and in memory; where the text is all that is wanted it is put together by hand.
 *
 * Strings must be UTF-8, as all of ours are: they came out of JSON or were checked. They are escaped as
 * RFC 8259, section 7, requires, and no further.
 */

#include "util/json.h"

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && c != '"' && c != '\\';
}

static int put_escaped(Buf *buf, char c)
{
    switch (c) {
    case '"': return buf_puts(buf, "\\\"");
    case '\\': return buf_puts(buf, "\\\\");
    case '\b': return buf_puts(buf, "\\b");
    case '\f': return buf_puts(buf, "\\f");
    case '\n': return buf_puts(buf, "\\n");
    case '\r': return buf_puts(buf, "\\r");
    case '\t': return buf_puts(buf, "\\t");
    default: return buf_printf(buf, "\\u%04X", (unsigned)c);
    }
}

int json_put_string(Buf *buf, const char *s)
{
    int r;

    if (!s)
        return buf_puts(buf, "null");

    r = buf_putc(buf, '"');
    while (r == 0 && *s) {
        size_t n = 0;

        while (is_plain(s[n]))
            n++;
        r = buf_append(buf, s, n);
        s += n;
        if (r == 0 && *s)
            r = put_escaped(buf, *s++);
    }
    return r < 0 ? r : buf_putc(buf, '"');
}

int json_put_member(Buf *buf, const char *name, const char *value)
{
    int r = buf_puts(buf, name);

    return r < 0 ? r : json_put_string(buf, value);
}
