/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is seen in pods, with the real registrar on a fake EC2: who has an address, and what that costs in
 * calls. Which interface has an address is told apart with IPv6, which both interfaces here have in one
 * subnet.
 */

#include "lib/fake-aws/seen.h"
#include "register/trust.h"
#include "util/log.h"

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

/* Two pods above two interfaces have it, and the newer one goes; the older one goes, too. */
static void both_end(Fixture *f, Sightings *s)
{
    gone(f, s, 2, V6);
    gone(f, s, 1, V6);
}

static Sightings *begin_complete(Fixture *f)
{
    Sightings *s;

    fixture_start(f);
    s = begin(f);
    sightings_settle(s);
    sightings_release_leftovers(s);
    see(f, s, 1, V6, "eth1");
    assign6_ok(f, V6);
    see(f, s, 2, V6, "eth2");
    return s;
}

static void float_to_eth2(Fixture *f)
{
    fail_call(f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    look_answer(f, ENI, "", V6);
    cloud_answer(&f->cloud, "UnassignIpv6Addresses");
    settle(f);
    assign6_ok(f, V6);
}

/* While it is on its way to the newer one: nobody has it in the end. */
static void test_both_end_on_the_way(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    s = begin_complete(&f);
    both_end(&f, s);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    advance(&f, USEC_PER_MINUTE);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_null(find(&f, V6));
    (void)sightings_free(s);
    fixture_done(&f);
}

/* The older one could not have it: its interface is full. */
static void test_both_end_and_no_room(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    fixture_init(&f);
    f.options.ipv6_limit = 2;
    f.without_own6 = true;
    s = begin_complete(&f);
    float_to_eth2(&f);
    assert_has(&f, V6, owner_of_pod(2), "eni-2");
    see(&f, s, 3, "2001:db8::30", "eth1");
    assign6_ok(&f, "2001:db8::30");
    see(&f, s, 4, "2001:db8::31", "eth1");
    assign6_ok(&f, "2001:db8::31");
    both_end(&f, s);
    advance(&f, USEC_PER_MINUTE);
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_null(find(&f, V6));
    (void)sightings_free(s);
    fixture_done(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_end_on_the_way),
        cmocka_unit_test(test_both_end_and_no_room),
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
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_given_back_under_way),
        cmocka_unit_test(test_runtime),
        cmocka_unit_test(test_refused_to_another),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests_name("sightings", tests, NULL, NULL);
}
