/* SPDX-License-Identifier: Apache-2.0 */

/*
 * UTF-8 as RFC 3629, section 4, defines it: without overlong forms, surrogates, and what is beyond
 * U+10FFFF, as jansson does.
 */

#include "util/utf8.h"

static bool is_within(char c, unsigned char low, unsigned char high)
{
    return (unsigned char)c >= low && (unsigned char)c <= high;
}

/* How many bytes of a character stand here, and of how many; 0 of 0: none begins so. */
static size_t measure(const char *s, size_t *ret_n)
{
    static const struct {
        unsigned char first, last; /* the first byte */
        unsigned char low, high;   /* the second; those after it are 80-BF */
        size_t n;
    } rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t i = 0, n = 1;

    while (i < ARRAY_SIZE(rows) && !is_within(s[0], rows[i].first, rows[i].last))
        i++;
    if (i == ARRAY_SIZE(rows)) {
        *ret_n = 0;
        return 0;
    }
    while (n < rows[i].n && is_within(s[n], n == 1 ? rows[i].low : 0x80, n == 1 ? rows[i].high : 0xbf))
        n++;
    *ret_n = rows[i].n;
    return n;
}

bool utf8_is_clean(const char *s)
{
    while (*s) {
        size_t wanted, n = measure(s, &wanted);

        if (n < wanted || n == 0)
            return false;
        s += n;
    }
    return true;
}

void utf8_clean(char *s)
{
    while (*s) {
        size_t wanted, n = measure(s, &wanted);

        if (n == wanted && n > 0) {
            s += n;
        } else if (n < wanted && !s[n]) {
            *s = '\0';
        } else {
            *s++ = '?';
        }
    }
}

static bool is_continuation(char c)
{
    return is_within(c, 0x80, 0xbf);
}

size_t utf8_cut(const char *s, size_t max)
{
    size_t n = strnlen(s, max), begin = n;

    /* A character has three of them at most; what has more is none. */
    while (begin > 0 && n - begin < 3 && is_continuation(s[begin]))
        begin--;
    return is_continuation(s[begin]) ? n : begin;
}
