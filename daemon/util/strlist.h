#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* An ordered list of strings that owns them. */

#include "util/macro.h"

typedef struct StrList {
    char **items;
    size_t n;
} StrList;

#define STRLIST_NULL ((StrList){0})

/** strlist_done() - free the strings; the list is empty and usable afterwards */
void strlist_done(StrList *list);

/** strlist_append() - append a copy; 0 or -ENOMEM */
int strlist_append(StrList *list, const char *s);

/** strlist_append_n() - append a copy of the first n bytes of s; 0 or -ENOMEM */
int strlist_append_n(StrList *list, const char *s, size_t n);

/** strlist_copy() - deep copy; *ret is written on success only; 0 or -ENOMEM */
int strlist_copy(const StrList *list, StrList *ret);

/**
 * strlist_split() - split at commas and white space; empty parts are dropped
 *
 * Return: 0 with *ret set (caller releases it with strlist_done()), or -ENOMEM.
 */
int strlist_split(const char *s, StrList *ret);

/** strlist_join() - "a, b, c", to be freed by the caller; NULL when out of memory */
char *strlist_join(const StrList *list, const char *separator);

/** strlist_contains() - whether s is one of the strings */
bool strlist_contains(const StrList *list, const char *s);

/** strlist_equal() - same strings in the same order */
bool strlist_equal(const StrList *a, const StrList *b);

/** strlist_equal_set() - same strings in any order */
bool strlist_equal_set(const StrList *a, const StrList *b);

#define _cleanup_strlist_ _cleanup_(strlist_done)
