#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses that were seen in pod namespaces, each kept registered as long as it is seen. */

#include "register/registrar.h"

typedef struct Sightings Sightings;

/* What the kernel calls an address: the same one may be in several places at once. */
typedef struct SightingKey {
    int nsid;
    int ifindex;
    InAddr address;
} SightingKey;

/** sightings_new() - none yet, and none is registered before sightings_settle(); 0 or -ENOMEM */
int sightings_new(Sightings **ret, sd_event *event, Registrar *registrar);

/** sightings_free() - what is registered stays registered; returns NULL */
Sightings *sightings_free(Sightings *sightings);

/**
 * sightings_add() - an address is there; told again it changes nothing, but tries again what was refused
 * @ifname: ours, on which it is to be registered
 * @owner: begins with PROTOCOL_OWNER_WATCH
 *
 * Return: 0 or -ENOMEM.
 */
int sightings_add(Sightings *sightings, const SightingKey *key, const char *ifname, const char *owner);

/** sightings_keep() - an address is still there, should it be known; nothing is done for it */
void sightings_keep(Sightings *sightings, const SightingKey *key);

/** sightings_remove() - an address is not there any more; nothing happens when it was not known */
void sightings_remove(Sightings *sightings, const SightingKey *key);

/** sightings_may_be_twice() - whether an address was told more than once: the kernel may have several entries
 */
bool sightings_may_be_twice(const Sightings *sightings, const SightingKey *key);

/** sightings_remove_all() - the same for every address of a link, or of a namespace (ifindex 0) */
void sightings_remove_all(Sightings *sightings, int nsid, int ifindex);

/** sightings_begin() - a list of all addresses of a namespace follows, as calls of add and keep */
void sightings_begin(Sightings *sightings, int nsid);

/** sightings_end() - the list is whole: what was not in it is not there any more */
void sightings_end(Sightings *sightings, int nsid);

/**
 * sightings_settle() - what is there at the start is known: begin to register
 *
 * When an address is in two places, the one that an earlier run had registered keeps it; so does anybody else
 * who had. Does nothing when called again.
 */
void sightings_settle(Sightings *sightings);

/** sightings_release_leftovers() - release what an earlier run registered and is not there any more */
void sightings_release_leftovers(Sightings *sightings);

DEFINE_CLEANUP(Sightings, sightings_free)
