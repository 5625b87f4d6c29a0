/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An ordered list of strings: subnets, security groups, alternative names. The lists are short, so
 * look-ups walk them.
 */

#include "util/strlist.h"
#include "util/buf.h"
#include <errno.h>

void strlist_done(StrList *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = STRLIST_NULL;
}

int strlist_append_n(StrList *list, const char *s, size_t n)
{
    char **items, *copy;

    items = reallocarray(list->items, list->n + 1, sizeof(*items));
    if (!items)
        return -ENOMEM;
    list->items = items;

    copy = strndup(s, n);
    if (!copy)
        return -ENOMEM;

    list->items[list->n++] = copy;
    return 0;
}

int strlist_append(StrList *list, const char *s)
{
    return strlist_append_n(list, s, strlen(s));
}

int strlist_copy(const StrList *list, StrList *ret)
{
    _cleanup_strlist_ StrList copy = STRLIST_NULL;
    int r;

    for (size_t i = 0; i < list->n; i++) {
        r = strlist_append(&copy, list->items[i]);
        if (r < 0)
            return r;
    }

    *ret = copy;
    copy = STRLIST_NULL;
    return 0;
}

int strlist_split(const char *s, StrList *ret)
{
    _cleanup_strlist_ StrList list = STRLIST_NULL;
    static const char separators[] = ", \t\r\n";
    size_t n;
    int r;

    for (;;) {
        s += strspn(s, separators);
        n = strcspn(s, separators);
        if (n == 0)
            break;
        r = strlist_append_n(&list, s, n);
        if (r < 0)
            return r;
        s += n;
    }

    *ret = list;
    list = STRLIST_NULL;
    return 0;
}

char *strlist_join(const StrList *list, const char *separator)
{
    _cleanup_buf_ Buf buf = BUF_NULL;

    for (size_t i = 0; i < list->n; i++)
        if (buf_printf(&buf, "%s%s", i == 0 ? "" : separator, list->items[i]) < 0)
            return NULL;

    return buf_take(&buf);
}

bool strlist_contains(const StrList *list, const char *s)
{
    for (size_t i = 0; i < list->n; i++)
        if (streq(list->items[i], s))
            return true;
    return false;
}

bool strlist_equal(const StrList *a, const StrList *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!streq(a->items[i], b->items[i]))
            return false;
    return true;
}

bool strlist_equal_set(const StrList *a, const StrList *b)
{
    for (size_t i = 0; i < a->n; i++)
        if (!strlist_contains(b, a->items[i]))
            return false;
    for (size_t i = 0; i < b->n; i++)
        if (!strlist_contains(a, b->items[i]))
            return false;
    return true;
}
