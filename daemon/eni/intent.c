/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The journal of creations.
 *
 * EC2 makes CreateNetworkInterface idempotent by its ClientToken: the same token with the same
 * parameters returns the interface made before (EC2 API Reference, "Ensuring idempotency in Amazon
 * EC2 API requests"). So a daemon that was killed between Create and its reply finds its interface
 * again, if it asks for exactly the same. Everything in the request follows from configuration and
 * instance, but the creation time in its tags; and once an interface has been deleted, the next one
 * must have a different token. Both is what an intent is: one creation time for each network, on disk
 * before the first Create that carries it, dropped when the interface is gone.
 *
 * An intent outlives its creation, since nothing is gained by another write to the disk: as long as
 * EC2 shows the interface nobody asks for the intent. When EC2 does not show it, the interface is one
 * that is not shown yet, or one that somebody has deleted since; the age of the intent tells which.
 *
 * With subnet-start the addresses asked for are part of the request too, and do not follow from anything:
 * asked again, the list of free ones may or may not show the interface that was made. So they are part of
 * the intent.
 *
 * The file is JSON: {"version": 1, "instance_id": "i-…", "created": {"eth1": "2026-…"}, "addresses":
 * {"eth1": "10.0.1.4 2001:db8::4"}}. Intents of a boot are committed together, since each commit waits for
 * the disk.
 */

#include "eni/intent.h"
#include "util/fs.h"
#include "util/json.h"
#include "util/keyvalue.h"
#include <errno.h>
#include <stdio.h>

#define INTENT_FILE_MAX ((size_t)64 << 10)
#define INTENT_VERSION  1

/*
 * A token asked for again returns the first reply, even if the interface is gone. EC2 speaks of minutes
 * for its consistency ("Eventual consistency in the Amazon EC2 API": back off up to five).
 */
#define INTENT_AGE_MAX (10 * USEC_PER_MINUTE)

struct Intents {
    char *path;
    char *instance_id;
    KeyValueList created;   /* network -> time; an empty time is a dropped one */
    KeyValueList addresses; /* network -> "10.0.1.4 2001:db8::4"; empty: none */
    bool found;             /* a journal of this instance */
    bool dirty;
};

/* In use: not dropped, not older than what EC2 may not show yet, not from the future. */
static bool intent_is_current(const char *created, usec_t now)
{
    usec_t at;

    return created && time_parse_iso8601(created, &at) == 0 && time_add(at, INTENT_AGE_MAX) > now &&
           time_add(now, INTENT_AGE_MAX) > at;
}

/* What is no list of addresses is found out when it is asked for. */
static int intents_decode_addresses(Intents *intents, json_t *root)
{
    json_t *addresses = json_object_get(root, "addresses"), *text;
    const char *network;
    int r;

    json_object_foreach(addresses, network, text)
    {
        if (!json_is_string(text))
            continue;
        r = keyvalue_list_set(&intents->addresses, network, json_string_value(text));
        if (r < 0)
            return r;
    }
    return 0;
}

/* Takes the file's intents over when it is a journal of this instance. */
static int intents_decode(Intents *intents, const char *text, size_t n)
{
    _cleanup_json_ json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    const char *instance_id = NULL, *network;
    json_t *created = NULL, *time;
    int version = 0, r;
    usec_t at;

    if (!root || json_unpack(root, "{s:i, s:s, s:o}", "version", &version, "instance_id", &instance_id,
                             "created", &created) < 0)
        return 0;
    if (version != INTENT_VERSION || !streq(instance_id, intents->instance_id))
        return 0;

    intents->found = true;
    json_object_foreach(created, network, time)
    {
        /* It becomes a tag: nothing but a time gets that far. */
        if (!json_is_string(time) || time_parse_iso8601(json_string_value(time), &at) < 0)
            continue;
        r = keyvalue_list_set(&intents->created, network, json_string_value(time));
        if (r < 0)
            return r;
    }
    return intents_decode_addresses(intents, root);
}

int intents_load(Intents **ret, const char *path, const char *instance_id)
{
    _cleanup_(intents_freep) Intents *intents = NULL;
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r;

    intents = calloc(1, sizeof(*intents));
    if (!intents)
        return -ENOMEM;
    intents->path = strdup(path);
    intents->instance_id = strdup(instance_id);
    if (!intents->path || !intents->instance_id)
        return -ENOMEM;

    if (fs_read_file(path, INTENT_FILE_MAX, &text, &n) == 0) {
        r = intents_decode(intents, text, n);
        if (r < 0)
            return r;
    }

    *ret = TAKE_PTR(intents);
    return 0;
}

Intents *intents_free(Intents *intents)
{
    if (!intents)
        return NULL;

    keyvalue_list_done(&intents->addresses);
    keyvalue_list_done(&intents->created);
    free(intents->instance_id);
    free(intents->path);
    return mfree(intents);
}

bool intents_are_first(const Intents *intents)
{
    return !intents->found;
}

int intents_get(Intents *intents, const char *network, usec_t now, const char **ret)
{
    char text[TIME_ISO8601_MAX];
    const char *created = keyvalue_list_get(&intents->created, network);
    int r;

    if (!intent_is_current(created, now)) {
        r = intents_set_addresses(intents, network, &ALLOCATION_NULL);
        if (r == 0)
            r = keyvalue_list_set(&intents->created, network, time_format_iso8601(now, text));
        if (r < 0)
            return r;
        intents->dirty = true;
        created = keyvalue_list_get(&intents->created, network);
    }

    *ret = created;
    return 0;
}

int intents_set_addresses(Intents *intents, const char *network, const Allocation *addresses)
{
    const char *before = keyvalue_list_get(&intents->addresses, network);
    char text[2 * IN_ADDR_TEXT] = "", ipv4[IN_ADDR_TEXT], ipv6[IN_ADDR_TEXT] = "";
    int r;

    if (in_addr_is_set(&addresses->ipv6))
        (void)in_addr_format(&addresses->ipv6, ipv6);
    if (in_addr_is_set(&addresses->ipv4))
        (void)snprintf(text, sizeof(text), "%s%s%s", in_addr_format(&addresses->ipv4, ipv4),
                       ipv6[0] ? " " : "", ipv6);
    if (streq(before ?: "", text))
        return 0;
    r = keyvalue_list_set(&intents->addresses, network, text);
    if (r < 0)
        return r;
    intents->dirty = true;
    return 0;
}

bool intents_addresses(const Intents *intents, const char *network, Allocation *ret)
{
    const char *text = keyvalue_list_get(&intents->addresses, network);
    Allocation addresses = ALLOCATION_NULL;
    char copy[2 * IN_ADDR_TEXT], *space;

    if (!text || strlen(text) >= sizeof(copy))
        return false;
    (void)snprintf(copy, sizeof(copy), "%s", text);
    space = strchr(copy, ' ');
    if (space)
        *space++ = '\0';
    if (in_addr_parse(copy, &addresses.ipv4) < 0 || (space && in_addr_parse(space, &addresses.ipv6) < 0))
        return false;

    *ret = addresses;
    return true;
}

void intents_drop(Intents *intents, const char *network)
{
    const char *created = keyvalue_list_get(&intents->created, network);

    if (created && created[0] && keyvalue_list_set(&intents->created, network, "") == 0)
        intents->dirty = true;
    if (keyvalue_list_get(&intents->addresses, network))
        (void)intents_set_addresses(intents, network, &ALLOCATION_NULL);
}

void intents_forget(Intents *intents, const char *network, const char *created)
{
    if (streq_ptr(keyvalue_list_get(&intents->created, network), created))
        intents_drop(intents, network);
}

/* The pairs that have a value, as an object; NULL when out of memory. */
static json_t *pairs_encode(const KeyValueList *pairs)
{
    json_t *object = json_object();

    for (size_t i = 0; object && i < pairs->n; i++) {
        const KeyValue *pair = &pairs->items[i];

        if (pair->value[0] && json_object_set_new(object, pair->key, json_string(pair->value)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static char *intents_encode(const Intents *intents)
{
    _cleanup_json_ json_t *created = pairs_encode(&intents->created);
    _cleanup_json_ json_t *addresses = pairs_encode(&intents->addresses);
    _cleanup_json_ json_t *root = NULL;

    root = json_pack("{s:i, s:s, s:O}", "version", INTENT_VERSION, "instance_id", intents->instance_id,
                     "created", created);
    if (!root || !addresses)
        return NULL;
    if (json_object_size(addresses) > 0 && json_object_set(root, "addresses", addresses) < 0)
        return NULL;
    return json_dumps(root, JSON_COMPACT);
}

int intents_commit(Intents *intents)
{
    _cleanup_(freep) char *text = NULL;
    int r;

    if (!intents->dirty)
        return 0;

    text = intents_encode(intents);
    if (!text)
        return -ENOMEM;
    r = fs_write_file(intents->path, text, strlen(text), 0600, FS_SYNC_YES);
    if (r < 0)
        return r;

    intents->dirty = false;
    return 0;
}
