/* SPDX-License-Identifier: Apache-2.0 */

/* Pods by number, each with one interface: there is no kernel below. */

#include "lib/fake-aws/seen.h"
#include <stdio.h>

Sightings *begin(const Fixture *f)
{
    Sightings *sightings;

    assert_int_equal(sightings_new(&sightings, f->cloud.event, f->registrar), 0);
    return sightings;
}

SightingKey key_of(int pod, const char *text)
{
    return (SightingKey){.nsid = pod, .ifindex = 2, .address = address(text)};
}

const char *owner_of_pod(int pod)
{
    static char owner[32];

    (void)snprintf(owner, sizeof(owner), "watch:pod%d/net1", pod);
    return owner;
}

void see(Fixture *f, Sightings *sightings, int pod, const char *text, const char *ifname)
{
    const SightingKey key = key_of(pod, text);

    assert_int_equal(sightings_add(sightings, &key, ifname, owner_of_pod(pod)), 0);
    settle(f);
}

void gone(Fixture *f, Sightings *sightings, int pod, const char *text)
{
    const SightingKey key = key_of(pod, text);

    sightings_remove(sightings, &key);
    settle(f);
}
