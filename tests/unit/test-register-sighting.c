/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is seen in pods, with the real registrar on a fake EC2: who has an address, and what that costs in
 * calls. Which interface has an address is told apart with IPv6, which both interfaces here have in one
 * subnet.
 */

#include "lib/fake-aws/registry.h"
#include "register/sighting.h"
#include "register/trust.h"
#include "util/log.h"
#include <stdio.h>

#define V4      "10.0.1.20"
#define V6      "2001:db8::20"
#define RUNTIME "cni:oam/c0ffee/net1"

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

static void give_back_ok(Fixture *f, const char *text, const char *owner)
{
    Asked asked = {0};

    give_back(f, &asked, text, owner);
    settle(f);
    assert_int_equal(asked.status, 200);
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

/* ------------------------------------------------------------------ others who asked for it */

/* What a plugin or a program registered stays its own over a restart, whatever is seen. */
static void test_restart(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, V4, RUNTIME);
    put_on(&f, &asked, V6, "eth1", RUNTIME);
    settle(&f);
    assign6_ok(&f, V6);
    fixture_stop(&f);
    fixture_show(&f, V4);
    f.ips6[f.n_ips6++] = address(V6);
    fixture_start(&f);

    s = begin(&f);
    see(&f, s, 1, V4, "eth1");
    see(&f, s, 1, V6, "eth2");
    sightings_settle(s);
    settle(&f);
    assert_has(&f, V4, RUNTIME, ENI);
    assert_has(&f, V6, RUNTIME, ENI);
    assert_int_equal(fake_aws_n(f.cloud.aws), 2);

    /* Given back, it is the pod's that has it still. */
    give_back_ok(&f, V4, RUNTIME);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    assert_int_equal(fake_aws_n(f.cloud.aws), 2);
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* What was refused before does not take it from the one who got it meanwhile. */
static void test_refused_and_then_anothers(void **unused _unused_)
{
    for (unsigned told = 0; told < 2; told++) {
        Sightings *s;
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        s = begin(&f);
        sightings_settle(s);
        see(&f, s, 1, V4, "eth1");
        fail_call(&f, ASSIGN, "InternalError", "no");
        register_ok(&f, V4, RUNTIME);
        if (told)
            see(&f, s, 1, V4, "eth1");
        advance(&f, USEC_PER_HOUR);
        assert_has(&f, V4, RUNTIME, ENI);
        assert_rest(&f);
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* A program that registers first and configures its interface then. */
static void test_registered_before_it_is_seen(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    register_ok(&f, V4, "me");
    see(&f, s, 1, V4, "eth1");
    assert_has(&f, V4, "me", ENI);
    gone(&f, s, 1, V4);
    assert_has(&f, V4, "me", ENI);
    see(&f, s, 1, V4, "eth1");
    give_back_ok(&f, V4, "me");
    assert_has(&f, V4, owner_of_pod(1), ENI);
    gone(&f, s, 1, V4);
    assert_int_equal(find(&f, V4)->state, REGISTRATION_RELEASED);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* But one that floats to a pod above another interface goes there, whoever has it. */
static void test_seen_elsewhere(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    put_on(&f, &asked, V6, "eth1", RUNTIME);
    settle(&f);
    see(&f, s, 2, V6, "eth2"); /* busy */
    assign6_ok(&f, V6);
    assert_int_equal(asked.status, 200);
    advance(&f, SECOND);
    assign6_ok(&f, V6);
    assert_has(&f, V6, owner_of_pod(2), "eni-2");

    /* Called back by hand, and given back: it is where the pod is. */
    put_on(&f, &asked, V6, "eth1", "me");
    settle(&f);
    assign6_ok(&f, V6);
    assert_has(&f, V6, "me", ENI);
    give_back_ok(&f, V6, "me");
    advance(&f, SECOND);
    assign6_ok(&f, V6);
    assert_has(&f, V6, owner_of_pod(2), "eni-2");
    advance(&f, USEC_PER_HOUR);
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* It cannot go to where it is seen: it is nobody's all the same, and least of all the one's who gave it back.
 */
static void test_seen_elsewhere_and_refused(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    put_on(&f, &asked, V6, "eth1", "me");
    settle(&f);
    assign6_ok(&f, V6);
    see(&f, s, 2, V6, "eth2");
    sightings_settle(s);
    settle(&f);
    assert_has(&f, V6, "me", ENI);
    give_back_ok(&f, V6, "me");
    advance(&f, SECOND);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    gone(&f, s, 2, V6);
    assert_true(!find(&f, V6) || find(&f, V6)->state == REGISTRATION_RELEASED);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* Two pods have it, and one of them goes: that is nothing to the one who asked for it. */
static void test_two_pods_and_another(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, V4, "eth1");
    assign_ok(&f);
    see(&f, s, 2, V4, "eth1");
    assert_has(&f, V4, owner_of_pod(2), ENI);
    put(&f, &asked, V4, RUNTIME);
    settle(&f);
    gone(&f, s, 2, V4);
    assert_has(&f, V4, RUNTIME, ENI);
    see(&f, s, 3, V4, "eth1");
    assert_has(&f, V4, RUNTIME, ENI);

    /* To the newest, then to the next. */
    give_back_ok(&f, V4, RUNTIME);
    assert_has(&f, V4, owner_of_pod(3), ENI);
    gone(&f, s, 3, V4);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    gone(&f, s, 1, V4);
    assert_int_equal(find(&f, V4)->state, REGISTRATION_RELEASED);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ moved away */

/* The daemon starts again, and what EC2 shows of it is what fixture_show() says; the pod has it still. */
static Sightings *restart_with_pod(Fixture *f, Sightings *before, const char *text)
{
    Sightings *s;

    (void)sightings_free(before);
    fixture_stop(f);
    fixture_start(f);
    s = begin(f);
    see(f, s, 1, text, "eth1");
    sightings_settle(s);
    settle(f);
    return s;
}

static Sightings *begin_with_pod(Fixture *f, const char *text)
{
    Sightings *s;

    fixture_init(f);
    fixture_start(f);
    s = begin(f);
    sightings_settle(s);
    see(f, s, 1, text, "eth1");
    if (streq(text, V4))
        assign_ok(f);
    else
        assign6_ok(f, text);
    assert_has(f, text, owner_of_pod(1), ENI);
    return s;
}

static bool is_taken_from_others(const Fixture *f)
{
    return streq(fake_call_get(fake_aws_pending(f->cloud.aws, ASSIGN), "AllowReassignment"), "true");
}

static void assert_refused_without_taking(Fixture *f)
{
    assert_int_equal(pending(f, ASSIGN), 1);
    assert_false(is_taken_from_others(f));
    fail_call(f, ASSIGN, "InvalidParameterValue", "Address " V4 " is already assigned.");
    assert_null(find(f, V4));
}

/* It is not taken back, but had when it is free. */
static void test_moved_away(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    advance(&f, 2 * USEC_PER_MINUTE);
    s = restart_with_pod(&f, s, V4);
    for (usec_t pause = 5 * SECOND; pause < USEC_PER_MINUTE; pause *= 2) {
        assert_int_equal(pending(&f, ASSIGN), 1);
        assert_false(is_taken_from_others(&f));
        fail_call(&f, ASSIGN, "InvalidParameterValue", "Address " V4 " is already assigned.");
        assert_int_equal(pending(&f, NULL), 0);
        assert_null(find(&f, V4));
        advance(&f, pause + SECOND);
    }
    assert_false(is_taken_from_others(&f));
    assign_ok(&f);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    assert_int_equal(registrar_statistics(f.registrar)->n_moved_here, 0);
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* Added to the pod again, it is wanted here; and so it is when another pod has it, or somebody asks. */
static void test_moved_away_and_wanted(void **unused _unused_)
{
    for (unsigned how = 0; how < 4; how++) {
        Asked asked = {0};
        Sightings *s;
        Fixture f;

        s = begin_with_pod(&f, V4);
        advance(&f, 2 * USEC_PER_MINUTE);
        s = restart_with_pod(&f, s, V4);
        assert_false(is_taken_from_others(&f));
        if (how > 0)
            fail_call(&f, ASSIGN, "InvalidParameterValue", "Address " V4 " is already assigned.");
        if (how == 0 || how == 3)
            put(&f, &asked, V4, "me");
        if (how == 1) {
            gone(&f, s, 1, V4);
            see(&f, s, 1, V4, "eth1");
        }
        if (how == 2)
            see(&f, s, 2, V4, "eth1");
        settle(&f);
        /* Asked for while the other call is under way: that one's refusal is not his. */
        if (how == 0)
            fail_call(&f, ASSIGN, "InvalidParameterValue", "Address " V4 " is already assigned.");
        assert_int_equal(asked.status, 0);
        assert_int_equal(pending(&f, ASSIGN), 1);
        assert_true(is_taken_from_others(&f));
        assign_ok(&f);
        assert_int_equal(asked.status, how == 0 || how == 3 ? 200 : 0);
        assert_has(&f, V4, how == 1 ? owner_of_pod(1) : how == 2 ? owner_of_pod(2) : "me", ENI);
        advance(&f, 6 * SECOND);
        assert_rest(&f);
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* The holder of an IPv6 address is not even looked for. */
static void test_moved_away_ipv6(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V6);
    advance(&f, 2 * USEC_PER_MINUTE);
    s = restart_with_pod(&f, s, V6);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    assert_int_equal(pending(&f, NULL), 0);
    assert_null(find(&f, V6));
    advance(&f, 6 * SECOND);
    assign6_ok(&f, V6);
    assert_has(&f, V6, owner_of_pod(1), ENI);
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* EC2 has assigned it a moment ago and does not show it: that may be its describe, or another node. */
static void test_moved_away_a_moment_ago(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    s = restart_with_pod(&f, s, V4);
    look_answer(&f, ENI, "10.0.1.10", "");
    assert_refused_without_taking(&f);
    s = restart_with_pod(&f, s, V4);
    assert_refused_without_taking(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/*
 * The daemon runs while it moves, and sees it by chance: nothing is taken back then, nor by the next run,
 * which finds in the file whose it was.
 */
static void test_moved_away_and_noticed(void **unused _unused_)
{
    static const char *const owners[] = {NULL, RUNTIME};

    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        Asked asked = {0};
        Sightings *s;
        Fixture f;

        s = begin_with_pod(&f, V4);
        if (owners[i])
            put_on(&f, &asked, V4, "eth1", owners[i]);
        register_ok(&f, "10.0.1.30", "other");
        advance(&f, 2 * USEC_PER_MINUTE);
        put(&f, &asked, "10.0.1.30", "other");
        settle(&f);
        look_answer(&f, ENI, "10.0.1.10 10.0.1.30", "");
        assert_int_equal(asked.status, 200);
        assert_null(find(&f, V4));
        assert_int_equal(pending(&f, NULL), 0);
        advance(&f, 6 * SECOND);
        assert_refused_without_taking(&f);

        fixture_show(&f, "10.0.1.30");
        s = restart_with_pod(&f, s, V4);
        assert_refused_without_taking(&f);
        advance(&f, 6 * SECOND);
        assign_ok(&f);
        assert_has(&f, V4, owner_of_pod(1), ENI);
        assert_rest(&f);
        assert_int_equal(state_n(state_moved_away(registrar_state(f.registrar))), 0);
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* When the pod has given it up, and is seen with it at the next start, it has added it meanwhile. */
static void test_moved_away_and_given_up(void **unused _unused_)
{
    for (unsigned before = 0; before < 2; before++) {
        Sightings *s;
        Fixture f;

        s = begin_with_pod(&f, V4);
        advance(&f, 2 * USEC_PER_MINUTE);
        s = restart_with_pod(&f, s, V4);
        assert_refused_without_taking(&f);
        if (before) {
            gone(&f, s, 1, V4);
        } else {
            (void)sightings_free(s);
            fixture_stop(&f);
            fixture_start(&f);
            s = begin(&f);
            sightings_settle(s);
            sightings_release_leftovers(s);
            settle(&f);
        }
        s = restart_with_pod(&f, s, V4);
        assert_true(is_taken_from_others(&f));
        assign_ok(&f);
        assert_has(&f, V4, owner_of_pod(1), ENI);
        assert_rest(&f);
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* What was registered for one that moved away does not take along what is new. */
static void test_moved_away_and_new(void **unused _unused_)
{
    static const char other[] = "10.0.1.30";
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    advance(&f, 2 * USEC_PER_MINUTE);
    (void)sightings_free(s);
    fixture_stop(&f);
    fixture_start(&f);
    s = begin(&f);
    see(&f, s, 1, V4, "eth1");
    see(&f, s, 1, other, "eth1");
    sightings_settle(s);
    settle(&f);
    assert_true(is_taken_from_others(&f));
    assign_ok(&f);
    assert_has(&f, other, owner_of_pod(1), ENI);
    assert_false(is_taken_from_others(&f));
    fail_call(&f, ASSIGN, "InvalidParameterValue", "Address " V4 " is already assigned.");
    assert_null(find(&f, V4));
    (void)sightings_free(s);
    fixture_done(&f);
}

/* It went to a newer place here and from there to another node: the older place does not fetch it. */
static void test_moved_away_from_the_newer(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    see(&f, s, 2, V4, "eth1");
    assert_has(&f, V4, owner_of_pod(2), ENI);
    advance(&f, 2 * USEC_PER_MINUTE);
    register_ok(&f, "10.0.1.30", "other");
    advance(&f, SECOND);
    put(&f, &asked, "10.0.1.30", "other");
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.30", "");
    assert_null(find(&f, V4));
    gone(&f, s, 2, V4);
    assert_refused_without_taking(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ given back while a pod has it */

/* From one owner to the next and back, in memory. */
static void test_given_back(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, V4, "eth1");
    assign_ok(&f);
    for (unsigned i = 0; i < 3; i++) {
        put(&f, &asked, V4, "me");
        settle(&f);
        assert_int_equal(asked.status, 200);
        assert_has(&f, V4, "me", ENI);
        give_back_ok(&f, V4, "me");
        assert_has(&f, V4, owner_of_pod(1), ENI);
        advance(&f, TRUST_REPEAT / 2);
    }
    put(&f, &asked, V4, "me");
    settle(&f);
    assert_int_equal(asked.status, 200);
    advance(&f, USEC_PER_MINUTE);
    give_back_ok(&f, V4, "me");
    assert_has(&f, V4, owner_of_pod(1), ENI);
    assert_rest(&f);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);

    /* It is the pod's to give back. */
    give_back(&f, &asked, V4, "me");
    assert_int_equal(asked.status, 409);
    gone(&f, s, 1, V4);
    advance(&f, USEC_PER_MINUTE);
    unassign_ok(&f);
    assert_null(find(&f, V4));
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* The same before EC2 has answered. */
static void test_given_back_under_way(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, V4, "eth1");
    put(&f, &asked, V4, "me");
    give_back(&f, &deleted, V4, "me");
    settle(&f);
    assert_int_equal(asked.status, 409);
    assert_int_equal(deleted.status, 200);
    assign_ok(&f);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    assert_rest(&f);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* A pod that a runtime ends: DEL comes first, then the interface goes. */
static void test_runtime(void **unused _unused_)
{
    Asked added = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, V4, "eth1");
    put_on(&f, &added, V4, "eth1", RUNTIME);
    settle(&f);
    assign_ok(&f);
    assert_int_equal(added.status, 200);
    assert_has(&f, V4, RUNTIME, ENI);
    assert_rest(&f);

    give_back_ok(&f, V4, RUNTIME);
    gone(&f, s, 1, V4);
    assert_int_equal(find(&f, V4)->state, REGISTRATION_RELEASED);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1);
    advance(&f, USEC_PER_MINUTE);
    unassign_ok(&f);
    assert_int_equal(fake_aws_n(f.cloud.aws), 2);
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* The one who took it over was refused: the pod has it all the same. */
static void test_refused_to_another(void **unused _unused_)
{
    Asked added = {0};
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    s = begin(&f);
    sightings_settle(s);
    see(&f, s, 1, V4, "eth1");
    put_on(&f, &added, V4, "eth1", RUNTIME);
    settle(&f);
    fail_call(&f, ASSIGN, "InternalError", "no");
    assert_int_not_equal(added.status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    advance(&f, 31 * SECOND);
    assign_ok(&f);
    assert_has(&f, V4, owner_of_pod(1), ENI);
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
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_refused_and_then_anothers),
        cmocka_unit_test(test_registered_before_it_is_seen),
        cmocka_unit_test(test_seen_elsewhere),
        cmocka_unit_test(test_seen_elsewhere_and_refused),
        cmocka_unit_test(test_two_pods_and_another),
        cmocka_unit_test(test_moved_away),
        cmocka_unit_test(test_moved_away_and_wanted),
        cmocka_unit_test(test_moved_away_ipv6),
        cmocka_unit_test(test_moved_away_a_moment_ago),
        cmocka_unit_test(test_moved_away_and_noticed),
        cmocka_unit_test(test_moved_away_and_given_up),
        cmocka_unit_test(test_moved_away_and_new),
        cmocka_unit_test(test_moved_away_from_the_newer),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_given_back_under_way),
        cmocka_unit_test(test_runtime),
        cmocka_unit_test(test_refused_to_another),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests_name("sightings", tests, NULL, NULL);
}
