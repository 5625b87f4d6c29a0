/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is seen in pods, with the real registrar on a fake EC2: who has an address, and what that costs in
 * calls. Which interface has an address is told apart with IPv6, which both interfaces here have in one
 * subnet.
 */

#include "lib/fake-aws/registry.h"
#include "register/sighting.h"
#include <stdio.h>

#define V4 "10.0.1.20"
#define V6 "2001:db8::20"

/* ------------------------------------------------------------------ pods */

static Sightings *begin(Fixture *f)
{
    Sightings *sightings;

    assert_int_equal(sightings_new(&sightings, f->cloud.event, f->registrar), 0);
    return sightings;
}

static SightingKey key_of(int pod, const char *text)
{
    return (SightingKey){.nsid = pod, .ifindex = 2, .address = address(text)};
}

static const char *owner_of_pod(int pod)
{
    static char owner[32];

    (void)snprintf(owner, sizeof(owner), "watch:pod%d/net1", pod);
    return owner;
}

/* The pod has it, above that interface; told again nothing is new. */
static void see(Fixture *f, Sightings *sightings, int pod, const char *text, const char *ifname)
{
    const SightingKey key = key_of(pod, text);

    assert_int_equal(sightings_add(sightings, &key, ifname, owner_of_pod(pod)), 0);
    settle(f);
}

static void gone(Fixture *f, Sightings *sightings, int pod, const char *text)
{
    const SightingKey key = key_of(pod, text);

    sightings_remove(sightings, &key);
    settle(f);
}

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

/* ------------------------------------------------------------------ refused for now */

/* On its way to one interface it cannot go to the other; a moment later it can. */
static void test_busy(void **unused _unused_)
{
    for (unsigned drops = 0; drops < 2; drops++) {
        Sightings *s;
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        s = begin(&f);
        sightings_settle(s);
        see(&f, s, 1, V6, "eth1");
        assert_int_equal(pending(&f, ASSIGN6), 1);
        see(&f, s, 2, V6, "eth2");
        if (drops)
            gone(&f, s, 1, V6);
        /* For as long as it takes. */
        advance(&f, 10 * SECOND);
        assign6_ok(&f, V6);
        advance(&f, 20 * SECOND);
        assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-2"));
        assign6_ok(&f, V6);
        assert_has(&f, V6, owner_of_pod(2), "eni-2");
        assert_rest(&f);
        assert_int_equal(fake_aws_n(f.cloud.aws), 2);
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* Promptly, and not at the pace of what another node holds. */
static void test_busy_for_a_moment(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, V6, "eth1");
    see(&f, s, 2, V6, "eth2");
    advance(&f, SECOND / 2);
    assign6_ok(&f, V6);
    advance(&f, SECOND / 2);
    assert_int_equal(pending(&f, ASSIGN6), 1);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* Another node keeps it for its cooldown, and may not be robbed. */
static void test_in_use(void **unused _unused_)
{
    static const usec_t pauses[] = {5 * SECOND, 10 * SECOND, 20 * SECOND, 40 * SECOND};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    f.options.allow_reassign = false;
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, V4, "eth1");
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        fail_call(&f, ASSIGN, "InvalidIPAddress.InUse", "Address 10.0.1.20 is in use.");
        assert_null(find(&f, V4));
        advance(&f, pauses[i] - SECOND);
        assert_int_equal(pending(&f, NULL), 0);
        advance(&f, 2 * SECOND);
        assert_int_equal(pending(&f, ASSIGN), 1);
    }
    assign_ok(&f);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* The router's address stays the router's: nobody asks twice. */
static void test_reserved(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, "10.0.1.1", "eth1");
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_busy_for_a_moment),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_reserved),
    };

    return cmocka_run_group_tests_name("sightings", tests, NULL, NULL);
}
