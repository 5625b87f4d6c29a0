/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two nodes that both believe an address theirs take it from each other as fast as EC2 answers, and
 * use up the account's rate of calls for every node. EC2 does not tell the loser, so a fight is known
 * by its signs: an address that had moved away is fetched back, again and again. From the third time
 * within a minute on each fetch waits, and longer each time, until there is peace for a minute. An
 * address that fails over once or twice is not slowed down at all.
 *
 * Every address that a node can have finds a place: in a table with fewer, those that are fought for in
 * turns would push each other out before they are counted. A place is free again once its window has
 * passed. Where all are taken, a further address is not remembered, and so not slowed down, until there is
 * one: the fights that are known go on being slowed down.
 */

#include "register/flap.h"

static bool entry_is_alive(const FlapEntry *entry, usec_t now)
{
    return time_add(entry->at, FLAP_WINDOW) > now;
}

/* Where the address is, or belongs. */
static size_t flap_position(const Flap *flap, const InAddr *address)
{
    size_t begin = 0, end = flap->n_entries;

    while (begin < end) {
        size_t middle = (begin + end) / 2;

        if (in_addr_compare(&flap->entries[middle].address, address) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static bool flap_has(const Flap *flap, size_t position, const InAddr *address)
{
    return position < flap->n_entries && in_addr_equal(&flap->entries[position].address, address);
}

static const FlapEntry *flap_find(const Flap *flap, const InAddr *address, usec_t now)
{
    size_t i = flap_position(flap, address);

    return flap_has(flap, i, address) && entry_is_alive(&flap->entries[i], now) ? &flap->entries[i] : NULL;
}

static void flap_forget_old(Flap *flap, usec_t now)
{
    size_t n = 0;

    for (size_t i = 0; i < flap->n_entries; i++) {
        if (!entry_is_alive(&flap->entries[i], now))
            continue;
        if (n != i)
            flap->entries[n] = flap->entries[i];
        n++;
    }
    flap->n_entries = n;
}

/* The address's entry, as new where it is too old, or NULL: no place for it. */
static FlapEntry *flap_get(Flap *flap, const InAddr *address, usec_t now)
{
    size_t i = flap_position(flap, address);
    FlapEntry *entry;

    if (!flap_has(flap, i, address)) {
        flap_forget_old(flap, now);
        if (flap->n_entries == ARRAY_SIZE(flap->entries))
            return NULL;
        i = flap_position(flap, address);
        memmove(&flap->entries[i + 1], &flap->entries[i], (flap->n_entries - i) * sizeof(*flap->entries));
        flap->entries[i] = (FlapEntry){.address = *address};
        flap->n_entries++;
    }
    entry = &flap->entries[i];
    if (!entry_is_alive(entry, now))
        *entry = (FlapEntry){.address = *address};
    entry->at = now;
    return entry;
}

void flap_lost(Flap *flap, const InAddr *address, usec_t now)
{
    FlapEntry *entry = flap_get(flap, address, now);

    if (entry)
        entry->lost = true;
}

bool flap_is_lost(const Flap *flap, const InAddr *address, usec_t now)
{
    const FlapEntry *entry = flap_find(flap, address, now);

    return entry && entry->lost;
}

usec_t flap_pause(const Flap *flap, const InAddr *address, usec_t now)
{
    const FlapEntry *entry = flap_find(flap, address, now);

    return entry && entry->until > now ? entry->until - now : 0;
}

bool flap_reclaim(Flap *flap, const InAddr *address, usec_t now)
{
    FlapEntry *entry = flap_get(flap, address, now);
    bool again;

    if (!entry)
        return false;
    again = entry->reclaimed > 0 && time_add(entry->reclaimed, FLAP_WINDOW) > now;
    entry->reclaimed = now;
    return again;
}

usec_t flap_fetch(Flap *flap, const InAddr *address, usec_t now, bool *ret_episode)
{
    FlapEntry *entry = flap_get(flap, address, now);
    unsigned exponent;
    usec_t pause;

    *ret_episode = false;
    if (!entry)
        return 0;
    /* Once it is a fight, only a quiet window (flap_find()) ends it. */
    if (entry->n_fetches < FLAP_FETCHES && time_add(entry->first, FLAP_WINDOW) <= now)
        entry->n_fetches = 0;
    if (entry->n_fetches == 0)
        entry->first = now;
    entry->n_fetches++;
    entry->lost = false;

    *ret_episode = entry->n_fetches == FLAP_FETCHES;
    if (entry->n_fetches < FLAP_FETCHES)
        return 0;
    exponent = MIN(entry->n_fetches - FLAP_FETCHES, 5u);
    pause = MIN(FLAP_PAUSE << exponent, FLAP_PAUSE_MAX);
    entry->until = time_add(now, pause);
    return pause;
}
