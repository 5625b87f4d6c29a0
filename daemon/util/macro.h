#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Compiler and memory helpers that everything else may use. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define _cleanup_(_f)        __attribute__((cleanup(_f)))
#define _printf_(_a, _b)     __attribute__((format(printf, _a, _b)))
#define _unused_             __attribute__((unused))
#define _warn_unused_result_ __attribute__((warn_unused_result))

#define ARRAY_SIZE(_a) (sizeof(_a) / sizeof((_a)[0]))
#define MIN(_a, _b)                                                                                          \
    ({                                                                                                       \
        __typeof__(_a) _min_a = (_a);                                                                        \
        __typeof__(_b) _min_b = (_b);                                                                        \
        _min_a < _min_b ? _min_a : _min_b;                                                                   \
    })
#define MAX(_a, _b)                                                                                          \
    ({                                                                                                       \
        __typeof__(_a) _max_a = (_a);                                                                        \
        __typeof__(_b) _max_b = (_b);                                                                        \
        _max_a > _max_b ? _max_a : _max_b;                                                                   \
    })

/* Hand the value over and forget it, so that the cleanup attribute finds NULL. */
#define TAKE_PTR(_p)                                                                                         \
    ({                                                                                                       \
        __typeof__(_p) *_take_p = &(_p);                                                                     \
        __typeof__(_p) _take_v = *_take_p;                                                                   \
        *_take_p = NULL;                                                                                     \
        _take_v;                                                                                             \
    })
#define TAKE_FD(_fd)                                                                                         \
    ({                                                                                                       \
        int *_take_fd = &(_fd);                                                                              \
        int _take_v = *_take_fd;                                                                             \
        *_take_fd = -1;                                                                                      \
        _take_v;                                                                                             \
    })

/* Define x_freep() for _cleanup_() from a destructor that takes and returns a pointer. */
#define DEFINE_CLEANUP(_type, _free)                                                                         \
    static inline void _free##p(_type **_p)                                                                  \
    {                                                                                                        \
        if (*_p)                                                                                             \
            (void)_free(*_p);                                                                                \
    }

static inline bool streq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/** streq_ptr() - compare two strings of which either may be NULL */
static inline bool streq_ptr(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static inline void *mfree(void *p)
{
    free(p);
    return NULL;
}

static inline void freep(void *p)
{
    free(*(void **)p);
}

/** replace_string() - replace *field by a copy of value (NULL clears it); -ENOMEM leaves it as it was */
int replace_string(char **field, const char *value);
