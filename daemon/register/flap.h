#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses that two nodes take from each other in turns. Pure: the time is an argument. */

#include "util/inaddr.h"
#include "util/time.h"

#define FLAP_FETCHES   3u              /* so many times */
#define FLAP_WINDOW    USEC_PER_MINUTE /* within this time */
#define FLAP_PAUSE     USEC_PER_SEC /* before the first fetch that is too much, doubled with each further one */
#define FLAP_PAUSE_MAX (30 * USEC_PER_SEC)
#define FLAP_ENTRIES   2048u /* a node has 1500 at most: 15 interfaces, each 50 of IPv4 and 50 of IPv6 */

typedef struct FlapEntry {
    InAddr address;
    usec_t at;    /* of the last event */
    usec_t first; /* fetch of this window */
    unsigned n_fetches;
    usec_t reclaimed; /* when it was last wanted again; 0: never */
    usec_t until;     /* the next fetch waits so long */
    bool lost;        /* went away, and was not fetched since */
} FlapEntry;

/* Starts as zero. Large: what was never used of it takes no memory, unless it is written to. */
typedef struct Flap {
    size_t n_entries;
    FlapEntry entries[FLAP_ENTRIES]; /* by address */
} Flap;

/** flap_lost() - the address has moved to another node; times are CLOCK_MONOTONIC */
void flap_lost(Flap *flap, const InAddr *address, usec_t now);

/** flap_pause() - how long a registration still has to wait for the sake of those before it */
usec_t flap_pause(const Flap *flap, const InAddr *address, usec_t now);

/** flap_is_lost() - whether it moved away from here less than a window ago */
bool flap_is_lost(const Flap *flap, const InAddr *address, usec_t now);

/** flap_reclaim() - it was given back and is wanted again; whether that happened before within a window */
bool flap_reclaim(Flap *flap, const InAddr *address, usec_t now);

/**
 * flap_fetch() - it is about to be taken from another node
 * @ret_episode: this is the fetch that makes it flapping
 *
 * Return: how long to wait first.
 */
usec_t flap_fetch(Flap *flap, const InAddr *address, usec_t now, bool *ret_episode);
