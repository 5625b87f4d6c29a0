/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A growing byte string. The memory doubles, so that appending is linear over all; a failed
 * allocation leaves the contents untouched, so that a caller may report what it has.
 */

#include "util/buf.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define BUF_MIN ((size_t)64)

static int buf_reserve(Buf *buf, size_t n_more)
{
    size_t n;
    char *data;

    if (n_more > SIZE_MAX / 2 - buf->n - 1)
        return -ENOMEM;
    if (buf->n + n_more + 1 <= buf->n_allocated)
        return 0;

    n = MAX(buf->n_allocated * 2, buf->n + n_more + 1);
    n = MAX(n, BUF_MIN);
    data = realloc(buf->data, n);
    if (!data)
        return -ENOMEM;

    buf->data = data;
    buf->n_allocated = n;
    return 0;
}

void buf_done(Buf *buf)
{
    free(buf->data);
    *buf = BUF_NULL;
}

void buf_reset(Buf *buf)
{
    buf->n = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

int buf_append(Buf *buf, const void *data, size_t n)
{
    int r;

    r = buf_reserve(buf, n);
    if (r < 0)
        return r;

    if (n > 0)
        memcpy(buf->data + buf->n, data, n);
    buf->n += n;
    buf->data[buf->n] = '\0';
    return 0;
}

int buf_puts(Buf *buf, const char *s)
{
    return buf_append(buf, s, strlen(s));
}

int buf_putc(Buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

int buf_printf(Buf *buf, const char *format, ...)
{
    va_list ap;
    int n, r;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0)
        return -ENOMEM;

    r = buf_reserve(buf, (size_t)n);
    if (r < 0)
        return r;

    va_start(ap, format);
    (void)vsnprintf(buf->data + buf->n, (size_t)n + 1, format, ap);
    va_end(ap);
    buf->n += (size_t)n;
    return 0;
}

char *buf_take(Buf *buf)
{
    char *data;

    if (buf_reserve(buf, 0) < 0)
        return NULL;
    buf->data[buf->n] = '\0';

    data = buf->data;
    *buf = BUF_NULL;
    return data;
}
