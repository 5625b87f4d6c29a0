/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What EC2 refuses, what others have, and what two nodes do to each other.
 */

#include "lib/fake-aws/registry.h"
#include "util/log.h"
#include <stdio.h>

/* ------------------------------------------------------------------ refusals of EC2 */

static void test_named_culprit(void **unused _unused_)
{
    Asked asked[3] = {0};
    Fixture f;

    fixture_init(&f);
    f.options.allow_reassign = false;
    fixture_start(&f);
    put(&f, &asked[0], "10.0.1.20", "a");
    put(&f, &asked[1], "10.0.1.21", "b");
    put(&f, &asked[2], "10.0.1.22", "c");
    settle(&f);
    fail_call(&f, ASSIGN, "InvalidParameterValue", "[10.0.1.21] assigned, but move is not allowed.");
    assert_int_equal(asked[1].status, 409);
    assert_string_equal(asked[1].code, "address_in_use");
    assert_string_equal(asked[1].ec2_code, "InvalidParameterValue");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN), "PrivateIpAddress.2", "10.0.1.22"));
    assign_ok(&f);
    assert_int_equal(asked[0].status, 200);
    assert_int_equal(asked[2].status, 200);
    assert_null(find(&f, "10.0.1.21"));
    fixture_done(&f);
}

static void test_unnamed_culprit(void **unused _unused_)
{
    Asked asked[8] = {0}, late = {0};
    char text[32];
    unsigned n_calls = 0;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(text, sizeof(text), "10.0.1.%u", 20 + i);
        put(&f, &asked[i], text, "o");
    }
    settle(&f);
    put(&f, &late, "10.0.1.40", "late");
    while (pending(&f, ASSIGN) > 0) {
        const FakeCall *call = fake_aws_pending(f.cloud.aws, ASSIGN);
        bool bad = false;

        for (size_t i = 0; i < call->parameters.n; i++)
            bad = bad || streq(call->parameters.items[i].value, "10.0.1.25");
        if (bad)
            fail_call(&f, ASSIGN, "InvalidParameterValue", "secondary-addresses");
        else
            assign_ok(&f);
        assert_in_range(++n_calls, 1, 9);
    }
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(asked[i].status, i == 5 ? 409 : 200);
    assert_int_equal(late.status, 200);
    assert_null(find(&f, "10.0.1.25"));
    fixture_done(&f);
}

static void test_failures_of_all(void **unused _unused_)
{
    static const struct {
        const char *code;
        unsigned status;
        const char *word;
    } rows[] = {
        {"UnauthorizedOperation", 502, "ec2_denied"},
        {"RequestLimitExceeded", 504, "deadline"},
        {"InternalError", 504, "deadline"},
        {"InvalidNetworkInterfaceID.NotFound", 502, "interface_gone"},
        {"OptInRequired", 502, "ec2_refused"},
        {"ExpiredToken", 502, "ec2_refused"},
    };
    Asked asked[2] = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        put(&f, &asked[0], "10.0.1.20", "a");
        put(&f, &asked[1], "10.0.1.21", "b");
        settle(&f);
        fail_call(&f, ASSIGN, rows[i].code, "no");
        for (size_t j = 0; j < 2; j++) {
            assert_int_equal(asked[j].status, rows[i].status);
            assert_string_equal(asked[j].code, rows[i].word);
            assert_string_equal(asked[j].ec2_code, rows[i].code);
        }
        assert_int_equal(pending(&f, NULL), 0);
        assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    }
    fixture_done(&f);
}

static void test_deadline(void **unused _unused_)
{
    Asked asked = {0}, again = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_until(&f, &asked, "10.0.1.20", NULL, "a", FAKE_CLOCK_MONOTONIC + 2 * SECOND);
    settle(&f);
    advance(&f, 3 * SECOND);
    assert_int_equal(asked.status, 504);
    /* The work goes on, and the next one finds it done. */
    put(&f, &again, "10.0.1.20", "a");
    assert_int_equal(again.status, 0);
    assign_ok(&f);
    assert_int_equal(again.status, 200);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ IPv6 held elsewhere */

static void test_ipv6_move(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, DESCRIBE), "Filter.1.Value.1", "2001:db8::20"));
    look_answer(&f, "eni-other", "", "2001:db8::20");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId",
                              "eni-other"));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked.status, 200);
    assert_int_equal(registrar_statistics(f.registrar)->n_moved_here, 1);
    fixture_done(&f);
}

static void test_ipv6_roll_back(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    look_answer(&f, "eni-other", "", "2001:db8::20");
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    fail_call(&f, ASSIGN6, "PrivateIpAddressLimitExceeded", "full");
    assert_int_equal(asked.status, 0);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-other"));
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked.status, 507);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

static void test_ipv6_roll_back_fails(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    look_answer(&f, "eni-other", "", "2001:db8::20");
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no again");
    assert_int_equal(asked.status, 502);
    assert_non_null(strstr(asked.message, "no"));
    assert_null(strstr(asked.message, "again"));
    fixture_done(&f);
}

static void test_ipv6_ours_or_free(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    look_answer(&f, ENI, "", "2001:db8::20");
    assert_int_equal(asked.status, 200);
    fixture_stop(&f);
    advance(&f, 2 * USEC_PER_MINUTE);

    /* Gone from its holder meanwhile: assigned again, but not for ever. */
    begin_conflict(&f, &asked);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(asked.status, 0);
        cloud_answer_look(&f.cloud, NULL);
        settle(&f);
        fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    }
    assert_int_equal(asked.status, 409);
    fixture_stop(&f);

    f.options.allow_reassign = false;
    begin_conflict(&f, &asked);
    assert_int_equal(asked.status, 409);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Several holders: one after the other, those of one together. */
static void test_ipv6_two_holders(void **unused _unused_)
{
    _cleanup_buf_ Buf xml = BUF_NULL;
    Asked asked[3] = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked[0], "2001:db8::20", "eth1", "a");
    put_on(&f, &asked[1], "2001:db8::21", "eth1", "b");
    put_on(&f, &asked[2], "2001:db8::22", "eth1", "c");
    settle(&f);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address is in use.");
    assert_int_equal(
        buf_printf(&xml,
                   "<item><networkInterfaceId>eni-x</networkInterfaceId><ipv6AddressesSet>"
                   "<item><ipv6Address>2001:db8::20</ipv6Address></item>"
                   "<item><ipv6Address>2001:db8::22</ipv6Address></item></ipv6AddressesSet></item>"
                   "<item><networkInterfaceId>eni-y</networkInterfaceId><ipv6AddressesSet>"
                   "<item><ipv6Address>2001:db8::21</ipv6Address></item></ipv6AddressesSet></item>"),
        0);
    cloud_answer_look(&f.cloud, &xml);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "Ipv6Addresses.2",
                              "2001:db8::22"));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked[0].status, 200);
    assert_int_equal(asked[1].status, 0);
    assert_int_equal(asked[2].status, 200);
    look_answer(&f, "eni-y", "", "2001:db8::21");
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assign6_ok(&f, "2001:db8::21");
    assert_int_equal(asked[1].status, 200);
    fixture_done(&f);
}

/* One that cannot be moved does not keep the others from it. */
static void test_ipv6_refused_together(void **unused _unused_)
{
    Asked asked[2] = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked[0], "2001:db8::20", "eth1", "a");
    put_on(&f, &asked[1], "2001:db8::21", "eth1", "b");
    settle(&f);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address is in use.");
    look_answer(&f, "eni-x", "", "2001:db8::20 2001:db8::21");
    fail_call(&f, "UnassignIpv6Addresses", "InvalidParameterValue", "no");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(asked[i].status, 0);
        look_answer(&f, "eni-x", "", "2001:db8::20 2001:db8::21");
        assert_null(fake_call_get(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "Ipv6Addresses.2"));
        if (i == 0) {
            fail_call(&f, "UnassignIpv6Addresses", "InvalidParameterValue", "no");
            continue;
        }
        cloud_answer(&f.cloud, "UnassignIpv6Addresses");
        settle(&f);
        assign6_ok(&f, "2001:db8::21");
    }
    assert_int_equal(asked[0].status, 502);
    assert_int_equal(asked[1].status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* A node is not cut off. */
static void test_ipv6_of_a_first_interface(void **unused _unused_)
{
    _cleanup_buf_ Buf xml = BUF_NULL;
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    assert_int_equal(buf_printf(&xml,
                                "<item><networkInterfaceId>eni-x</networkInterfaceId><attachment>"
                                "<attachmentId>eni-attach-1</attachmentId><deviceIndex>0</deviceIndex>"
                                "</attachment><ipv6AddressesSet><item><ipv6Address>2001:db8::20</ipv6Address>"
                                "</item></ipv6AddressesSet></item>"),
                     0);
    cloud_answer_look(&f.cloud, &xml);
    settle(&f);
    assert_int_equal(asked.status, 409);
    assert_string_equal(asked.code, "reserved");
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Killed between taking it and assigning it: nobody was told that it has moved, so it goes back. */
static void test_ipv6_killed_while_moving(void **unused _unused_)
{
    Asked asked = {0}, again = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    look_answer(&f, "eni-other", "", "2001:db8::20");
    for (unsigned i = 0; i < 2; i++) { /* and killed while giving it back */
        fixture_stop(&f);
        asked.wait = registrar_wait_free(asked.wait);
        fixture_start(&f);
        settle(&f);
        assert_int_equal(pending(&f, NULL), 1);
        assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-other"));
    }
    /* Wanted and given back meanwhile: that changes nothing. */
    put_on(&f, &again, "2001:db8::20", "eth1", "a");
    give_back(&f, &deleted, "2001:db8::20", "a");
    assign6_ok(&f, "2001:db8::20");
    assert_null(find(&f, "2001:db8::20"));
    assert_int_equal(pending(&f, NULL), 0);
    fixture_stop(&f);
    fixture_start(&f);
    settle(&f);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Killed after it was assigned: it is here. */
static void test_ipv6_killed_when_moved(void **unused _unused_)
{
    Asked asked = {0};
    Registration r;
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    look_answer(&f, "eni-other", "", "2001:db8::20");
    fixture_stop(&f);
    asked.wait = registrar_wait_free(asked.wait);
    fixture_show(&f, "2001:db8::20");
    fixture_start(&f);
    settle(&f);
    assert_int_equal(find(&f, "2001:db8::20")->state, REGISTRATION_WANTED);
    assert_true(find(&f, "2001:db8::20")->assigned);
    assert_int_equal(pending(&f, NULL), 0);
    /* Should it move away unnoticed, the next run owes it to nobody. */
    assert_int_equal(stored(&f, "2001:db8::20", &r), 1);
    assert_null(r.taken_from);
    fixture_done(&f);
}

/* Both of one holder; they are unassigned there. */
static void begin_move_of_two(Fixture *f, Asked asked[static 2])
{
    fixture_init(f);
    fixture_start(f);
    put_on(f, &asked[0], "2001:db8::20", "eth1", "a");
    put_on(f, &asked[1], "2001:db8::21", "eth1", "b");
    settle(f);
    fail_call(f, ASSIGN6, "InvalidIPAddress.InUse", "Address is in use.");
    look_answer(f, "eni-other", "", "2001:db8::20 2001:db8::21");
    cloud_answer(&f->cloud, "UnassignIpv6Addresses");
    settle(f);
}

/* While they are nobody's, another node takes one of them: the other one comes all the same. */
static void test_ipv6_one_taken(void **unused _unused_)
{
    Asked asked[2] = {0};
    Fixture f;

    begin_move_of_two(&f, asked);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::21 is in use.");
    assert_null(fake_call_get(fake_aws_pending(f.cloud.aws, ASSIGN6), "Ipv6Addresses.2"));
    assign6_ok(&f, "2001:db8::20");
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::21 is in use.");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-other"));
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::21 is in use.");
    look_answer(&f, ENI, "10.0.1.10", "2001:db8::20");
    assert_int_equal(asked[0].status, 200);
    assert_int_equal(asked[1].status, 502);
    /* It is not here; should it be nobody's, it goes back. */
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::21 is in use.");
    assert_int_equal(pending(&f, NULL), 0);
    assert_int_equal(state_n(registrar_state(f.registrar)), 1);
    fixture_done(&f);
}

/* One that is taken keeps the other from being unassigned: that one is moved once more, alone. */
static void test_ipv6_refused_for_another(void **unused _unused_)
{
    Asked asked[2] = {0};
    Fixture f;

    begin_move_of_two(&f, asked);
    for (unsigned i = 0; i < 2; i++)
        fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    assign6_ok(&f, "2001:db8::20"); /* given back */
    assign6_ok(&f, "2001:db8::21");
    assert_int_equal(asked[0].status, 0);
    assert_int_equal(asked[1].status, 200);
    look_answer(&f, "eni-other", "", "2001:db8::20");
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked[0].status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Neither may come, and one is taken before they are given back: the other one is given back. */
static void test_ipv6_one_taken_and_refused(void **unused _unused_)
{
    Asked asked[2] = {0};
    Fixture f;

    begin_move_of_two(&f, asked);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    for (unsigned i = 0; i < 2; i++) {
        assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-other"));
        assert_null(fake_call_get(fake_aws_pending(f.cloud.aws, ASSIGN6), "Ipv6Addresses.2"));
        if (i == 0)
            fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
        else
            assign6_ok(&f, "2001:db8::21");
    }
    look_answer(&f, ENI, "10.0.1.10", "");
    assert_int_equal(asked[0].status, 502);
    assert_int_equal(asked[1].status, 502);
    assert_string_equal(asked[1].code, "ec2_denied");
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    assert_int_equal(pending(&f, NULL), 0);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* ------------------------------------------------------------------ fights between nodes */

static void test_flapping(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    const RegistrarStatistics *statistics;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    statistics = registrar_statistics(f.registrar);
    register_ok(&f, "10.0.1.20", "vip");
    for (unsigned i = 0; i < 6; i++) {
        give_back(&f, &deleted, "10.0.1.20", "vip");
        settle(&f);
        advance(&f, SECOND);
        put(&f, &asked, "10.0.1.20", "vip");
        settle(&f);
        if (i > 0) { /* the second time within a minute EC2 is asked where it is: elsewhere */
            assert_int_equal(pending(&f, ASSIGN), 0);
            look_answer(&f, ENI, "10.0.1.10", "");
            /* It was assigned a moment ago, and might be here: it is not. */
            assert_int_equal(pending(&f, ASSIGN), 1);
            fail_call(&f, ASSIGN, "InvalidParameterValue", "Address 10.0.1.20 is already assigned.");
        }
        if (i < 3) {
            assert_int_equal(statistics->n_flapping, 0);
            assert_int_equal(pending(&f, ASSIGN), 1);
        } else {
            /* One episode; each fetch waits longer. */
            usec_t pause = SECOND << (i - 3);

            assert_int_equal(statistics->n_flapping, 1);
            assert_int_equal(pending(&f, ASSIGN), 0);
            advance(&f, pause - SECOND / 2);
            assert_int_equal(pending(&f, ASSIGN), 0);
            advance(&f, SECOND);
        }
        assign_ok(&f);
        assert_int_equal(asked.status, 200);
    }
    fixture_done(&f);
}

/* A pod that restarts all the time keeps its address: that is no fight. */
static void test_no_flapping(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "pod");
    for (unsigned i = 0; i < 6; i++) {
        give_back(&f, &deleted, "10.0.1.20", "pod");
        put(&f, &asked, "10.0.1.20", "pod");
        settle(&f);
        if (i == 0)
            assign_ok(&f);
        else
            look_answer(&f, ENI, "10.0.1.10 10.0.1.20", "");
        assert_int_equal(asked.status, 200);
    }
    assert_int_equal(registrar_statistics(f.registrar)->n_flapping, 0);
    fixture_done(&f);
}

/* What a look shows to be gone is dropped, never taken back by itself. */
static void test_moved_away(void **unused _unused_)
{
    Asked deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    register_ok(&f, "10.0.1.21", "b");
    advance(&f, 2 * USEC_PER_MINUTE);
    register_ok(&f, "10.0.1.22", "fresh");
    give_back(&f, &deleted, "10.0.1.20", "a");
    advance(&f, 40 * SECOND);
    fail_call(&f, UNASSIGN, "InvalidParameterValue", "not assigned");
    look_answer(&f, ENI, "10.0.1.10", "");
    assert_null(find(&f, "10.0.1.20"));
    assert_null(find(&f, "10.0.1.21"));
    assert_non_null(find(&f, "10.0.1.22")); /* EC2 may not show it yet */
    assert_int_equal(registrar_statistics(f.registrar)->n_moved_away, 2);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

static void test_unassign_fails(void **unused _unused_)
{
    Asked deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    give_back(&f, &deleted, "10.0.1.20", "a");
    advance(&f, 40 * SECOND);
    fail_call(&f, UNASSIGN, "UnauthorizedOperation", "no");
    assert_int_equal(pending(&f, NULL), 0); /* not at full speed */
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

static void begin_unassigning_two(Fixture *f)
{
    fixture_init(f);
    fixture_start(f);
    register_ok(f, "10.0.1.20", "a");
    register_ok(f, "10.0.1.21", "a");
    give_back_ok(f, "10.0.1.20", "a");
    give_back_ok(f, "10.0.1.21", "a");
    advance(f, 40 * SECOND);
}

/* A call is refused for one address that has moved away: the others do not wait for another cooldown. */
static void test_unassign_with_one_that_moved(void **unused _unused_)
{
    static const char refusal[] = "Some of the specified addresses are not assigned to interface eni-1";
    Fixture f;

    begin_unassigning_two(&f);
    fail_call(&f, UNASSIGN, "InvalidParameterValue", refusal);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.21", "");
    assert_null(find(&f, "10.0.1.20"));

    /* It is there, and EC2 refuses again: for good reason or not, that is repeated once at full speed. */
    fail_call(&f, UNASSIGN, "InvalidParameterValue", refusal);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.21", "");
    fail_call(&f, UNASSIGN, "InvalidParameterValue", refusal);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.21", "");
    assert_int_equal(pending(&f, NULL), 0);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    fixture_done(&f);
}

/* Meanwhile that one is wanted on another interface of the node: then no look at this one explains it. */
static void test_unassign_with_one_that_moved_and_left(void **unused _unused_)
{
    Asked wanted = {0};
    Fixture f;

    begin_unassigning_two(&f);
    put_on(&f, &wanted, "10.0.1.20", "eth2", "b");
    settle(&f);
    fail_call(&f, UNASSIGN, "InvalidParameterValue", "Some of the specified addresses are not assigned");
    look_answer(&f, ENI, "10.0.1.10 10.0.1.21", "");
    unassign_ok(&f);
    assert_null(find(&f, "10.0.1.21"));
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_named_culprit),
        cmocka_unit_test(test_unnamed_culprit),
        cmocka_unit_test(test_failures_of_all),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_ipv6_move),
        cmocka_unit_test(test_ipv6_roll_back),
        cmocka_unit_test(test_ipv6_roll_back_fails),
        cmocka_unit_test(test_ipv6_ours_or_free),
        cmocka_unit_test(test_ipv6_two_holders),
        cmocka_unit_test(test_ipv6_refused_together),
        cmocka_unit_test(test_ipv6_killed_while_moving),
        cmocka_unit_test(test_ipv6_killed_when_moved),
        cmocka_unit_test(test_ipv6_of_a_first_interface),
        cmocka_unit_test(test_ipv6_one_taken),
        cmocka_unit_test(test_ipv6_refused_for_another),
        cmocka_unit_test(test_ipv6_one_taken_and_refused),
        cmocka_unit_test(test_flapping),
        cmocka_unit_test(test_no_flapping),
        cmocka_unit_test(test_moved_away),
        cmocka_unit_test(test_unassign_fails),
        cmocka_unit_test(test_unassign_with_one_that_moved),
        cmocka_unit_test(test_unassign_with_one_that_moved_and_left),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
