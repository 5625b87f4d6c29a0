#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Pods that are seen to have addresses: what every test of the sightings begins with. */

#include "lib/fake-aws/registry.h"
#include "register/sighting.h"

#define V4      "10.0.1.20"
#define V6      "2001:db8::20"
#define RUNTIME "cni:oam/c0ffee/net1"

/** begin() - sightings of the fixture's registrar, not settled */
Sightings *begin(const Fixture *f);

/** key_of() - an address on the interface of a pod */
SightingKey key_of(int pod, const char *text);

/** owner_of_pod() - as the watch calls it; valid until the next call */
const char *owner_of_pod(int pod);

/** see() - the pod has it, above that interface; told again nothing is new */
void see(Fixture *f, Sightings *sightings, int pod, const char *text, const char *ifname);

/** gone() - the pod has it no more */
void gone(Fixture *f, Sightings *sightings, int pod, const char *text);

#define assert_has(_f, _text, _owner, _eni)                                                                  \
    do {                                                                                                     \
        const Registration *_r = find((_f), (_text));                                                        \
        Registration _stored;                                                                                \
        assert_non_null(_r);                                                                                 \
        assert_int_equal(_r->state, REGISTRATION_WANTED);                                                    \
        assert_true(_r->assigned);                                                                           \
        assert_string_equal(_r->owner, (_owner));                                                            \
        assert_string_equal(_r->network_interface_id, (_eni));                                               \
        assert_int_equal(stored((_f), (_text), &_stored), 1);                                                \
        assert_int_equal(_stored.state, REGISTRATION_WANTED);                                                \
    } while (0)

/* Nothing waits for anything any more. */
#define assert_rest(_f)                                                                                      \
    do {                                                                                                     \
        assert_int_equal(pending((_f), NULL), 0);                                                            \
        assert_int_equal(fake_clock_next(), USEC_INFINITY);                                                  \
    } while (0)
