/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configuration that travels in tags: the keys of [network], with dashes for the underscores that
 * the file has, behind a prefix. One table serves both (network-keys.c), so a tag takes what the file
 * takes and is refused in the same words.
 *
 * EC2 cuts nobody's value short at 256 characters, it refuses it; a list that is longer is spread over
 * KEY, KEY.2, KEY.3 and so on. Whether KEY.2 is such a part or a name of its own needs no guess: no
 * key of ours has a dot.
 */

#include "input/tags.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define TAG_KEY_SIZE  256 /* EC2 allows 128 characters */
#define TAG_PARTS_MAX 50  /* EC2 allows 50 tags */

/* Keys under the prefix that say something else: our own marks on interfaces and subnets. */
static bool is_foreign(const char *key)
{
    static const char *const foreign[] = {"instance-id", "network", "nodegroup", "created", "device-index"};

    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        if (streq(key, foreign[i]))
            return true;
    return false;
}

/* "subnets.2" is part 2 of subnets; 1 for a key without a number, 0 for one that is no part. */
static unsigned part_number(const char *key, size_t *ret_n)
{
    const char *dot = strrchr(key, '.');
    unsigned long number;
    char *end;

    *ret_n = strlen(key);
    if (!dot)
        return 1;
    if (!isdigit((unsigned char)dot[1]) || dot[1] == '0' || strlen(dot) > 4)
        return 0;
    number = strtoul(dot + 1, &end, 10);
    if (*end || number < 2)
        return 0;

    *ret_n = (size_t)(dot - key);
    return (unsigned)number;
}

static const char *get_part(const KeyValueList *tags, const char *prefix, const char *key, size_t n,
                            unsigned part)
{
    char name[2 * TAG_KEY_SIZE];

    if (part == 1)
        (void)snprintf(name, sizeof(name), "%s%.*s", prefix, (int)n, key);
    else
        (void)snprintf(name, sizeof(name), "%s%.*s.%u", prefix, (int)n, key, part);
    return keyvalue_list_get(tags, name);
}

/* All parts of one key, from the first on, joined with commas. */
static int join_parts(const KeyValueList *tags, const char *prefix, const char *key, Buf *ret)
{
    for (unsigned part = 1;; part++) {
        const char *value = get_part(tags, prefix, key, strlen(key), part);
        int r;

        if (!value)
            return 0;
        r = buf_printf(ret, "%s%s", part == 1 ? "" : ",", value);
        if (r < 0)
            return r;
    }
}

static int apply_key(NetworkConfig *network, const KeyValueList *tags, const char *prefix, const char *key,
                     const char *owner, Buf *errors)
{
    _cleanup_buf_ Buf value = BUF_NULL;
    char where[2 * TAG_KEY_SIZE], name[TAG_KEY_SIZE];
    int r;

    (void)snprintf(where, sizeof(where), "tag %s%s of %s", prefix, key, owner);
    (void)snprintf(name, sizeof(name), "%s", key);
    for (char *p = name; *p; p++) {
        /* With underscores it would be taken too, and then two tags could set one key. */
        if (*p == '_') {
            r = buf_printf(errors, "%s: no such key; allowed: dashes instead of underscores\n", where);
            return r < 0 ? r : -EINVAL;
        }
        if (*p == '-')
            *p = '_';
    }

    r = join_parts(tags, prefix, key, &value);
    if (r < 0)
        return r;
    r = network_config_set(network, name, value.data, where, errors);
    return r == -ENOENT ? -EINVAL : r;
}

/* KEY.3 without KEY.2 is a list that lost its middle. */
static int check_part(const KeyValueList *tags, const char *prefix, const char *key, const char *owner,
                      Buf *errors)
{
    size_t n;
    unsigned part = part_number(key, &n);
    int r;

    if (part == 0 || part > TAG_PARTS_MAX)
        r = buf_printf(errors, "tag %s%s of %s: not the number of a part; allowed: KEY, KEY.2, … KEY.%d\n",
                       prefix, key, owner, TAG_PARTS_MAX);
    else if (!get_part(tags, prefix, key, n, part - 1))
        r = buf_printf(errors, "tag %s%s of %s: part %u is missing; allowed: KEY, KEY.2, … without a gap\n",
                       prefix, key, owner, part - 1);
    else
        return 0;
    return r < 0 ? r : -EINVAL;
}

int tags_apply(NetworkConfig *network, const KeyValueList *tags, const char *prefix, const char *owner,
               Buf *errors)
{
    size_t n_prefix = strlen(prefix);
    bool bad = false;

    for (size_t i = 0; i < tags->n; i++) {
        const char *key = tags->items[i].key + n_prefix;
        int r;

        if (strncmp(tags->items[i].key, prefix, n_prefix) != 0 || is_foreign(key))
            continue;
        if (strchr(key, '.'))
            r = check_part(tags, prefix, key, owner, errors);
        else
            r = apply_key(network, tags, prefix, key, owner, errors);
        if (r == -ENOMEM)
            return r;
        bad |= r < 0;
    }
    return bad ? -EINVAL : 0;
}
