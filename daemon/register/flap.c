/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two nodes that both believe an address theirs take it from each other as fast as EC2 answers, and
 * use up the account's rate of calls for every node. EC2 does not tell the loser, so a fight is known
 * by its signs: an address that had moved away is fetched back, again and again. From the third time
 * within a minute on each fetch waits, and longer each time, until there is peace for a minute. An
 * address that fails over once or twice is not slowed down at all.
 *
 * The table is of fixed size, for memory must not grow with the number of addresses ever seen.
 */

#include "register/flap.h"

static FlapEntry *flap_find(const Flap *flap, const InAddr *address, usec_t now)
{
    for (size_t i = 0; i < ARRAY_SIZE(flap->entries); i++) {
        const FlapEntry *entry = &flap->entries[i];

        if (in_addr_is_set(&entry->address) && in_addr_equal(&entry->address, address))
            return time_add(entry->at, FLAP_WINDOW) > now ? (FlapEntry *)entry : NULL;
    }
    return NULL;
}

static FlapEntry *flap_get(Flap *flap, const InAddr *address, usec_t now)
{
    FlapEntry *entry = flap_find(flap, address, now);

    if (!entry) {
        entry = &flap->entries[0];
        for (size_t i = 0; i < ARRAY_SIZE(flap->entries); i++) {
            FlapEntry *other = &flap->entries[i];

            /* Its own, which is too old, or the oldest; an unused one is as old as can be. */
            if (in_addr_is_set(&other->address) && in_addr_equal(&other->address, address)) {
                entry = other;
                break;
            }
            if (other->at < entry->at)
                entry = other;
        }
        *entry = (FlapEntry){.address = *address};
    }
    entry->at = now;
    return entry;
}

void flap_lost(Flap *flap, const InAddr *address, usec_t now)
{
    flap_get(flap, address, now)->lost = true;
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
    bool again = entry->reclaimed > 0 && time_add(entry->reclaimed, FLAP_WINDOW) > now;

    entry->reclaimed = now;
    return again;
}

usec_t flap_fetch(Flap *flap, const InAddr *address, usec_t now, bool *ret_episode)
{
    FlapEntry *entry = flap_get(flap, address, now);
    unsigned exponent;
    usec_t pause;

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
