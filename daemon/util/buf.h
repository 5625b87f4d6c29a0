#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* A byte string that grows. Always NUL-terminated once anything was appended. */

#include "util/macro.h"

typedef struct Buf {
    char *data;
    size_t n;
    size_t n_allocated;
} Buf;

#define BUF_NULL ((Buf){0})

/** buf_done() - release the memory; the buffer is empty and usable afterwards */
void buf_done(Buf *buf);

/** buf_reset() - forget the contents, keep the memory */
void buf_reset(Buf *buf);

/** buf_append() - append n bytes; 0 or -ENOMEM, which leaves the contents as they were */
int buf_append(Buf *buf, const void *data, size_t n);

/** buf_puts() - append a string; 0 or -ENOMEM */
int buf_puts(Buf *buf, const char *s);

/** buf_putc() - append one byte; 0 or -ENOMEM */
int buf_putc(Buf *buf, char c);

/** buf_printf() - append formatted text; 0 or -ENOMEM */
int buf_printf(Buf *buf, const char *format, ...) _printf_(2, 3);

/** buf_take() - hand the string over (caller frees) and empty the buffer; never NULL unless out of memory */
char *buf_take(Buf *buf);

#define _cleanup_buf_ _cleanup_(buf_done)
