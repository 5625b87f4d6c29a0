/* SPDX-License-Identifier: Apache-2.0 */

/* Moves of IPv6 addresses within the node that fail: the address is where it was, for whom it was. */

#include "lib/fake-aws/registry.h"
#include "util/log.h"

static void begin_move(Fixture *f, Asked *asked, const char *owner)
{
    put_on(f, asked, "2001:db8::20", "eth2", owner);
    settle(f);
}

/* Nobody knows whether EC2 has moved it: it is looked at before anybody is told. */
static void test_move_within_node_unknown(void **unused _unused_)
{
    static const struct {
        bool moved;
        unsigned status;
        const char *owner;
    } cases[] = {{true, 200, "b"}, {false, 502, "a"}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Asked asked = {0};
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        put_on(&f, &asked, "2001:db8::20", "eth1", "a");
        settle(&f);
        assign6_ok(&f, "2001:db8::20");
        begin_move(&f, &asked, "b");
        fake_call_lose(fake_aws_pending(f.cloud.aws, ASSIGN6));
        settle(&f);
        assert_int_equal(asked.status, 0);
        fail_call(&f, DESCRIBE, "RequestLimitExceeded", "later");
        assert_int_equal(asked.status, 0);
        advance(&f, 31 * SECOND);
        look_answer(&f, "eni-2", "10.0.2.10", cases[i].moved ? "2001:db8::20" : "");
        assert_int_equal(asked.status, cases[i].status);
        if (!cases[i].moved)
            look_answer(&f, ENI, "10.0.1.10", "2001:db8::20");
        assert_string_equal(find(&f, "2001:db8::20")->owner, cases[i].owner);
        assert_string_equal(find(&f, "2001:db8::20")->network_interface_id, cases[i].moved ? "eni-2" : ENI);
        assert_true(find(&f, "2001:db8::20")->assigned);
        assert_int_equal(pending(&f, NULL), 0);
        fixture_done(&f);
    }
}

/* Taken from eth1, and by another node before it came to eth2: eth1 does not fetch it. */
static void test_move_within_node_overtaken(void **unused _unused_)
{
    for (unsigned here = 0; here < 2; here++) {
        Asked asked = {0};
        Registration r;
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        put_on(&f, &asked, "2001:db8::20", "eth1", "a");
        settle(&f);
        assign6_ok(&f, "2001:db8::20");
        begin_move(&f, &asked, "b");
        fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
        look_answer(&f, ENI, "10.0.1.10", "2001:db8::20");
        cloud_answer(&f.cloud, "UnassignIpv6Addresses");
        settle(&f);
        fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
        fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
        look_answer(&f, "eni-2", "10.0.2.10", "");
        assert_int_equal(asked.status, 502);
        assert_int_equal(pending(&f, ASSIGN6), 0);
        assert_int_equal(stored(&f, "2001:db8::20", &r), 1);
        assert_null(r.taken_from);
        /* It may have come back all the same. */
        look_answer(&f, ENI, "10.0.1.10", here ? "2001:db8::20" : "");
        assert_int_equal(pending(&f, NULL), 0);
        if (here)
            assert_string_equal(find(&f, "2001:db8::20")->owner, "a");
        else
            assert_null(find(&f, "2001:db8::20"));
        fixture_done(&f);
    }
}

/* The same, given back before that is known: it is unassigned where it is. */
static void test_move_within_node_given_back(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    begin_move(&f, &asked, "b");
    give_back(&f, &deleted, "2001:db8::20", "b");
    settle(&f);
    assert_int_equal(asked.status, 409);
    assert_int_equal(deleted.status, 200);
    fake_call_lose(fake_aws_pending(f.cloud.aws, ASSIGN6));
    settle(&f);
    look_answer(&f, "eni-2", "10.0.2.10", "");
    advance(&f, 40 * SECOND);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* What was given back on one interface and is refused on another is still to be unassigned on the first. */
static void test_move_of_released_fails(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Registration r;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    give_back(&f, &deleted, "2001:db8::20", "a");
    settle(&f);
    advance(&f, 20 * SECOND);
    begin_move(&f, &asked, "b");
    assert_int_equal(stored(&f, "2001:db8::20", &r), 1);
    assert_int_equal(r.state, REGISTRATION_RELEASED);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    assert_int_equal(find(&f, "2001:db8::20")->state, REGISTRATION_RELEASED);

    /* The cooldown does not begin anew. */
    advance(&f, 20 * SECOND);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* Taken from eth1 by a's successor, refused on eth2, refused on the way back: it is nobody's. */
static void strand(Fixture *f, Asked *asked, bool lost)
{
    put_on(f, asked, "2001:db8::20", "eth1", "a");
    settle(f);
    assign6_ok(f, "2001:db8::20");
    begin_move(f, asked, "b");
    fail_call(f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    look_answer(f, ENI, "10.0.1.10", "2001:db8::20");
    cloud_answer(&f->cloud, "UnassignIpv6Addresses");
    settle(f);
    if (lost) {
        fake_call_lose(fake_aws_pending(f->cloud.aws, ASSIGN6));
        settle(f);
    } else {
        fail_call(f, ASSIGN6, "UnauthorizedOperation", "no");
    }
    fail_call(f, ASSIGN6, "UnauthorizedOperation", "no");
}

/* It belongs to whom it was answered, who gets it back if nobody else has it by now. */
static void test_move_within_node_stranded(void **unused _unused_)
{
    static const struct {
        const char *code; /* of the last try */
    } cases[] = {{NULL}, {"InvalidIPAddress.InUse"}, {"UnauthorizedOperation"}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Asked asked = {0};
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        strand(&f, &asked, false);
        assert_int_equal(asked.status, 502);
        assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
        assert_false(find(&f, "2001:db8::20")->assigned);
        if (cases[i].code) {
            fail_call(&f, ASSIGN6, cases[i].code, "no");
            assert_null(find(&f, "2001:db8::20"));
        } else {
            assign6_ok(&f, "2001:db8::20");
            assert_string_equal(find(&f, "2001:db8::20")->owner, "a");
            assert_true(find(&f, "2001:db8::20")->assigned);
        }
        assert_int_equal(pending(&f, NULL), 0);
        fixture_done(&f);
    }
}

/* Nobody knows whether it came to eth2: only if it did not, it is given back. */
static void test_move_within_node_stranded_unknown(void **unused _unused_)
{
    for (unsigned moved = 0; moved < 2; moved++) {
        Asked asked = {0};
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        strand(&f, &asked, true);
        assert_int_equal(asked.status, 0);
        look_answer(&f, "eni-2", "10.0.2.10", moved ? "2001:db8::20" : "");
        assert_int_equal(asked.status, moved ? 200 : 502);
        if (!moved) {
            assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
            assign6_ok(&f, "2001:db8::20");
        }
        assert_string_equal(find(&f, "2001:db8::20")->owner, moved ? "b" : "a");
        assert_true(find(&f, "2001:db8::20")->assigned);
        assert_int_equal(pending(&f, NULL), 0);
        fixture_done(&f);
    }
}

/* Nobody knows whether it came back: it is looked at. */
static void test_move_within_node_stranded_lost(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    strand(&f, &asked, false);
    fake_call_lose(fake_aws_pending(f.cloud.aws, ASSIGN6));
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10", "2001:db8::20");
    assert_string_equal(find(&f, "2001:db8::20")->owner, "a");
    assert_true(find(&f, "2001:db8::20")->assigned);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Given back while it is on its way back: it is there, and unassigned in its time. */
static void test_move_within_node_stranded_released(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    strand(&f, &asked, false);
    give_back(&f, &deleted, "2001:db8::20", "a");
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(find(&f, "2001:db8::20")->state, REGISTRATION_RELEASED);
    advance(&f, 40 * SECOND);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* Given back on eth1, wanted there again, at once on eth2 instead, and given back: it is still on eth1. */
static void test_move_of_reclaimed_given_back(void **unused _unused_)
{
    Asked first = {0}, again = {0}, moving = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &first, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    give_back(&f, &deleted, "2001:db8::20", "a");
    settle(&f);
    put_on(&f, &again, "2001:db8::20", "eth1", "a");
    put_on(&f, &moving, "2001:db8::20", "eth2", "b");
    give_back(&f, &deleted, "2001:db8::20", "b");
    settle(&f);
    assert_int_equal(again.status, 409);
    assert_int_equal(moving.status, 409);
    assert_int_equal(deleted.status, 200);
    assert_int_equal(find(&f, "2001:db8::20")->state, REGISTRATION_RELEASED);
    advance(&f, 40 * SECOND);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);

    /* And refused on eth2: it is nobody's on eth1, for neither was told that he has it. */
    put_on(&f, &first, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    give_back(&f, &deleted, "2001:db8::20", "a");
    settle(&f);
    put_on(&f, &again, "2001:db8::20", "eth1", "a");
    put_on(&f, &moving, "2001:db8::20", "eth2", "b");
    settle(&f);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    assert_int_equal(moving.status, 502);
    assert_int_equal(find(&f, "2001:db8::20")->state, REGISTRATION_RELEASED);
    assert_string_equal(find(&f, "2001:db8::20")->network_interface_id, ENI);
    fixture_done(&f);
}

/* One is on its way from eth1 to eth2, and another one is to come to eth1. */
static void begin_leaving(Fixture *f, Asked *moving, Asked *asked)
{
    Asked first = {0};

    fixture_init(f);
    fixture_start(f);
    put_on(f, &first, "2001:db8::20", "eth1", "a");
    settle(f);
    assign6_ok(f, "2001:db8::20");
    assert_int_equal(first.status, 200);
    begin_move(f, moving, "a");
    put_on(f, asked, "2001:db8::21", "eth1", "a");
    settle(f);
}

/* EC2 says that eth1 is full while one of its addresses is on its way to eth2: that is no answer yet. */
static void test_full_while_one_leaves(void **unused _unused_)
{
    Asked moving = {0}, asked = {0};
    Fixture f;

    begin_leaving(&f, &moving, &asked);
    fake_call_fail(fake_aws_pending_with(f.cloud.aws, ASSIGN6, "NetworkInterfaceId", ENI),
                   "PrivateIpAddressLimitExceeded", "full");
    settle(&f);
    assert_int_equal(asked.status, 0);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(moving.status, 200);
    advance(&f, SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));

    /* Now that nothing leaves, it is one. */
    fail_call(&f, ASSIGN6, "PrivateIpAddressLimitExceeded", "full");
    assert_int_equal(asked.status, 507);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/*
 * Killed when it had come to eth1 from another node, where it had gone from eth2 unnoticed; and who has it on
 * eth2 as far as is known gives it up. It is not back at that node: EC2 shows it on eth1.
 */
static void test_come_and_given_up(void **unused _unused_)
{
    Asked first = {0}, moving = {0}, deleted = {0};
    const Registration *r;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    begin_move(&f, &first, "a");
    assign6_ok(&f, "2001:db8::20");
    put_on(&f, &moving, "2001:db8::20", "eth1", "b");
    settle(&f);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    look_answer(&f, "eni-other", "", "2001:db8::20");
    give_back(&f, &deleted, "2001:db8::20", "a");
    settle(&f);
    assert_int_equal(deleted.status, 409);
    fixture_stop(&f);
    moving.wait = registrar_wait_free(moving.wait);
    f.ips6[f.n_ips6++] = address("2001:db8::10");
    f.ips6[f.n_ips6++] = address("2001:db8::20");
    fixture_start(&f);
    r = find(&f, "2001:db8::20");
    assert_non_null(r);
    assert_int_equal(r->state, REGISTRATION_RELEASED);
    assert_string_equal(r->network_interface_id, ENI);
    assert_int_equal(pending(&f, NULL), 0);
    advance(&f, 40 * SECOND);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    fixture_done(&f);
}

/* Killed when it had been taken from eth1: it is brought back for its owner, if there is still one. */
static void test_move_within_node_cut_off(void **unused _unused_)
{
    static const struct {
        bool rebooted, given_back;
    } cases[] = {{false, false}, {true, false}, {false, true}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Asked asked = {0}, deleted = {0};
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        put_on(&f, &asked, "2001:db8::20", "eth1", "a");
        settle(&f);
        assign6_ok(&f, "2001:db8::20");
        begin_move(&f, &asked, "b");
        fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
        look_answer(&f, ENI, "10.0.1.10", "2001:db8::20");
        cloud_answer(&f.cloud, "UnassignIpv6Addresses");
        settle(&f);
        if (cases[i].given_back)
            give_back(&f, &deleted, "2001:db8::20", "b");
        settle(&f);
        fixture_stop(&f);
        asked.wait = registrar_wait_free(asked.wait);

        if (cases[i].rebooted)
            f.options.boot_id = "boot-2";
        fixture_start(&f);
        settle(&f);
        if (cases[i].rebooted || cases[i].given_back) {
            assert_null(find(&f, "2001:db8::20"));
        } else {
            assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
            assign6_ok(&f, "2001:db8::20");
            assert_string_equal(find(&f, "2001:db8::20")->owner, "a");
        }
        assert_int_equal(pending(&f, NULL), 0);
        fixture_done(&f);
    }
}

/* Another node's interface has what is to come: the same, and that one has it meanwhile. */
static void test_full_for_a_move_while_one_leaves(void **unused _unused_)
{
    Asked moving = {0}, asked = {0};
    Fixture f;

    begin_leaving(&f, &moving, &asked);
    fake_call_fail(fake_aws_pending_with(f.cloud.aws, ASSIGN6, "NetworkInterfaceId", ENI),
                   "InvalidIPAddress.InUse", "Address 2001:db8::21 is in use.");
    settle(&f);
    look_answer(&f, "eni-9", "", "2001:db8::21");
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    fake_call_fail(fake_aws_pending_with(f.cloud.aws, ASSIGN6, "NetworkInterfaceId", ENI),
                   "PrivateIpAddressLimitExceeded", "full");
    settle(&f);
    fake_call_answer(fake_aws_pending_with(f.cloud.aws, ASSIGN6, "NetworkInterfaceId", "eni-9"),
                     "<networkInterfaceId>eni-9</networkInterfaceId>");
    settle(&f);
    assert_int_equal(asked.status, 0);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(moving.status, 200);
    advance(&f, SECOND);
    look_answer(&f, "eni-9", "", "2001:db8::21");
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assign6_ok(&f, "2001:db8::21");
    assert_int_equal(asked.status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

#define UNASSIGN6 "UnassignIpv6Addresses"

/* 2001:db8::20 is on eth1 and wanted on eth2. */
static void register_and_move(Fixture *f, Asked *asked)
{
    fixture_init(f);
    fixture_start(f);
    put_on(f, asked, "2001:db8::20", "eth1", "a");
    settle(f);
    assign6_ok(f, "2001:db8::20");
    begin_move(f, asked, "b");
}

/* And it is nobody's at this moment. */
static void register_move_and_take(Fixture *f, Asked *asked)
{
    register_and_move(f, asked);
    fail_call(f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    look_answer(f, ENI, "", "2001:db8::20");
    cloud_answer(&f->cloud, UNASSIGN6);
    settle(f);
}

/* It is wanted back where it was while it goes: it has gone, and if it cannot come back it is given up there.
 */
static void test_move_within_node_there_and_back(void **unused _unused_)
{
    Asked asked = {0}, back = {0};
    Fixture f;

    register_move_and_take(&f, &asked);
    give_back_ok(&f, "2001:db8::20", "b");
    put_on(&f, &back, "2001:db8::20", "eth1", "c");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    assert_int_equal(back.status, 502);
    advance(&f, 40 * SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN6), "NetworkInterfaceId", "eni-2"));
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* Wanted there twice, and given up twice, during one call, which is refused: it is where it was. */
static void test_move_within_node_twice(void **unused _unused_)
{
    Asked asked = {0}, again = {0};
    Fixture f;

    register_and_move(&f, &asked);
    give_back_ok(&f, "2001:db8::20", "b");
    put_on(&f, &again, "2001:db8::20", "eth2", "c");
    settle(&f);
    give_back_ok(&f, "2001:db8::20", "c");
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    for (unsigned i = 0; i < 20 && pending(&f, UNASSIGN6) == 0; i++) {
        while (pending(&f, DESCRIBE) > 0) {
            const char *id = fake_call_get(fake_aws_pending(f.cloud.aws, DESCRIBE), "NetworkInterfaceId.1");

            look_answer(&f, id, "", streq(id, ENI) ? "2001:db8::20" : "");
        }
        advance(&f, 10 * SECOND);
    }
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN6), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* Nobody knows where it is, and nobody wants it any more: that is found out before it is wanted again. */
static void test_move_within_node_untold_and_given_back(void **unused _unused_)
{
    Asked asked = {0}, again = {0};
    Fixture f;

    register_and_move(&f, &asked);
    fake_call_lose(fake_aws_pending(f.cloud.aws, ASSIGN6)); /* carried out */
    settle(&f);
    fail_call(&f, DESCRIBE, "RequestLimitExceeded", "later");
    give_back_ok(&f, "2001:db8::20", "b");
    put_on(&f, &again, "2001:db8::20", "eth1", "c");
    assert_string_equal(again.code, "busy");
    put_on(&f, &again, "2001:db8::20", "eth2", "c");
    assert_string_equal(again.code, "busy");
    advance(&f, 31 * SECOND);
    look_answer(&f, "eni-2", "10.0.2.10", "2001:db8::20");
    put_on(&f, &again, "2001:db8::20", "eth1", "c");
    assert_int_equal(again.status, 0);
    again.wait = registrar_wait_free(again.wait);
    give_back_ok(&f, "2001:db8::20", "c");
    advance(&f, 40 * SECOND);
    fixture_done(&f);
}

/* Killed when it had come to eth2 and nobody had been told: it is to go back, and given up it stays there. */
static void test_move_within_node_killed_and_given_back(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    register_move_and_take(&f, &asked);
    fixture_stop(&f);
    asked.wait = registrar_wait_free(asked.wait);
    fake_aws_forget(f.cloud.aws);
    f.ips6_2[f.n_ips6_2++] = address("2001:db8::11");
    f.ips6_2[f.n_ips6_2++] = address("2001:db8::20");
    fixture_start(&f);
    settle(&f);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
    fake_call_fail(fake_aws_pending(f.cloud.aws, ASSIGN6), "InvalidIPAddress.InUse",
                   "Address 2001:db8::20 is in use.");
    give_back(&f, &deleted, "2001:db8::20", "a"); /* before it is looked for who has it */
    settle(&f);
    advance(&f, 40 * SECOND);
    fail_call(&f, UNASSIGN6, "InvalidParameterValue", "Some of the specified addresses are not assigned");
    look_answer(&f, ENI, "10.0.1.10", "");
    advance(&f, 40 * SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN6), "NetworkInterfaceId", "eni-2"));
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    fixture_done(&f);
}

/* It is not where it was given up: it may be on the other interface, which is looked at for that, once. */
static void test_astray_within_node(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    f.ips6[f.n_ips6++] = address("2001:db8::10");
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth2", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    give_back_ok(&f, "2001:db8::20", "a");
    advance(&f, 40 * SECOND);
    fail_call(&f, UNASSIGN6, "InvalidParameterValue", "Some of the specified addresses are not assigned");
    look_answer(&f, "eni-2", "", "");
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    advance(&f, 50 * SECOND);
    assert_int_equal(pending(&f, NULL), 0);
    advance(&f, 20 * SECOND);
    look_answer(&f, ENI, "10.0.1.10", "2001:db8::10 2001:db8::20");
    advance(&f, 40 * SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN6), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    fixture_done(&f);
}

/* The clock is set back meanwhile: what was given up before is unassigned when its time is over all the same.
 */
static void test_move_within_node_and_clock(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    give_back_ok(&f, "2001:db8::20", "a");
    put_on(&f, &asked, "2001:db8::20", "eth2", "b");
    settle(&f);
    fake_clock_set(-(int64_t)(5 * USEC_PER_HOUR));
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    advance(&f, USEC_PER_MINUTE);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN6), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    fixture_done(&f);
}

/* Brought back to eth1 while that is looked at for somebody else: what the look shows is older. */
static void test_brought_back_beside_a_look(void **unused _unused_)
{
    Asked asked = {0}, other = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    register_ok(&f, "10.0.1.20", "other");
    advance(&f, 2 * USEC_PER_MINUTE);
    put_on(&f, &asked, "2001:db8::20", "eth2", "b");
    settle(&f);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    look_answer(&f, ENI, "", "2001:db8::20");
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    put(&f, &other, "10.0.1.20", "other");
    settle(&f);
    assert_int_equal(pending(&f, DESCRIBE), 1);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
    assign6_ok(&f, "2001:db8::20");
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20", "");
    assert_int_equal(other.status, 200);
    assert_string_equal(find(&f, "2001:db8::20")->owner, "a");
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_move_within_node_there_and_back),
        cmocka_unit_test(test_move_within_node_twice),
        cmocka_unit_test(test_move_within_node_and_clock),
        cmocka_unit_test(test_move_within_node_untold_and_given_back),
        cmocka_unit_test(test_move_within_node_killed_and_given_back),
        cmocka_unit_test(test_astray_within_node),
        cmocka_unit_test(test_brought_back_beside_a_look),
        cmocka_unit_test(test_move_within_node_unknown),
        cmocka_unit_test(test_move_within_node_overtaken),
        cmocka_unit_test(test_move_within_node_given_back),
        cmocka_unit_test(test_move_of_released_fails),
        cmocka_unit_test(test_move_of_reclaimed_given_back),
        cmocka_unit_test(test_full_while_one_leaves),
        cmocka_unit_test(test_full_for_a_move_while_one_leaves),
        cmocka_unit_test(test_come_and_given_up),
        cmocka_unit_test(test_move_within_node_cut_off),
        cmocka_unit_test(test_move_within_node_stranded),
        cmocka_unit_test(test_move_within_node_stranded_unknown),
        cmocka_unit_test(test_move_within_node_stranded_lost),
        cmocka_unit_test(test_move_within_node_stranded_released),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
