/* SPDX-License-Identifier: Apache-2.0 */

/* What EC2 has done and not said: replies that are lost, or do not name what was asked for. */

#include "lib/fake-aws/registry.h"
#include "util/log.h"

/* Nobody knows whether EC2 has it: it is nobody's, and unassigned after the cooldown. */
static void test_lost_reply(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    fake_call_lose(fake_aws_pending(f.cloud.aws, ASSIGN));
    settle(&f);
    assert_int_equal(asked.status, 504);
    advance(&f, 40 * SECOND);
    fail_call(&f, UNASSIGN, "InvalidParameterValue",
              "Some of the specified addresses are not assigned to interface eni-1");
    look_answer(&f, ENI, "10.0.1.10", "");
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    fixture_done(&f);
}

/* 10.0.1.20 and .21 are wanted: their call may have been carried out, and is about to be repeated. */
static FakeCall *begin_lost_reply(Fixture *f, Asked asked[static 2])
{
    FakeCall *call;

    fixture_init(f);
    fixture_start(f);
    put(f, &asked[0], "10.0.1.20", "a");
    put(f, &asked[1], "10.0.1.21", "b");
    settle(f);
    call = fake_aws_pending(f->cloud.aws, ASSIGN);
    fake_call_rest(call, true);
    return call;
}

/*
 * A reply was lost, and meanwhile nobody wants it any more: another node may have got it, so the call is not
 * repeated. What is still wanted goes out by itself.
 */
static void test_lost_reply_and_given_back(void **unused _unused_)
{
    Asked asked[2] = {0};
    FakeCall *call;
    Fixture f;

    call = begin_lost_reply(&f, asked);
    fake_call_throttle(call); /* repeated as it is */
    assert_false(call->answered);
    fake_call_rest(call, true);
    give_back_ok(&f, "10.0.1.20", "a");
    fake_call_throttle(call);
    settle(&f);
    assert_true(call->answered);
    call = fake_aws_pending(f.cloud.aws, ASSIGN);
    assert_true(fake_call_has(call, "PrivateIpAddress.1", "10.0.1.21"));
    assert_null(fake_call_get(call, "PrivateIpAddress.2"));
    assign_ok(&f);
    assert_int_equal(asked[1].status, 200);
    advance(&f, 40 * SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN), "PrivateIpAddress.1", "10.0.1.20"));
    unassign_ok(&f);
    assert_null(find(&f, "10.0.1.20"));
    fixture_done(&f);
}

/* The one that is still wanted cannot be assigned in the end: EC2 may have it nevertheless. */
static void test_lost_reply_is_remembered(void **unused _unused_)
{
    Asked asked[2] = {0};
    FakeCall *call;
    Fixture f;

    call = begin_lost_reply(&f, asked);
    give_back_ok(&f, "10.0.1.21", "b");
    fake_call_throttle(call);
    settle(&f);
    fail_call(&f, ASSIGN, "UnauthorizedOperation", "no");
    assert_int_equal(asked[0].status, 502);
    advance(&f, 40 * SECOND);
    call = fake_aws_pending(f.cloud.aws, UNASSIGN);
    assert_true(fake_call_has(call, "PrivateIpAddress.1", "10.0.1.20"));
    assert_true(fake_call_has(call, "PrivateIpAddress.2", "10.0.1.21"));
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* Likewise on its way from one interface of the node to another: only a look tells which has it. */
static void test_lost_reply_of_a_move(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "a");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    put_on(&f, &asked, "2001:db8::20", "eth2", "b");
    settle(&f);
    call = fake_aws_pending(f.cloud.aws, ASSIGN6);
    fake_call_rest(call, true);
    give_back_ok(&f, "2001:db8::20", "b");
    fake_call_throttle(call);
    settle(&f);
    assert_int_equal(pending(&f, ASSIGN6), 0);
    look_answer(&f, "eni-2", "", "");
    assert_string_equal(find(&f, "2001:db8::20")->network_interface_id, ENI);
    advance(&f, 40 * SECOND);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* EC2's reply does not list it: only a look tells. */
static void test_untold(void **unused _unused_)
{
    Asked asked[2] = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked[0], "10.0.1.20", "a");
    put(&f, &asked[1], "10.0.1.21", "b");
    settle(&f);
    fake_call_answer(fake_aws_pending(f.cloud.aws, ASSIGN), "<networkInterfaceId>%s</networkInterfaceId>",
                     ENI);
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20", "");
    assert_int_equal(asked[0].status, 200);
    assert_int_equal(asked[1].status, 502);
    assert_null(find(&f, "10.0.1.21"));
    fixture_done(&f);
}

/* Nor could it be looked at: it may be there, so it is unassigned in any case. */
static void test_untold_and_not_seen(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    fake_call_answer(fake_aws_pending(f.cloud.aws, ASSIGN), "<networkInterfaceId>eni-1</networkInterfaceId>");
    settle(&f);
    fail_call(&f, DESCRIBE, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* Given back and wanted again before the look ends: what may be there is not forgotten over that. */
static void test_untold_and_wanted_again(void **unused _unused_)
{
    Asked first = {0}, asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &first, "10.0.1.20", "a");
    settle(&f);
    fake_call_answer(fake_aws_pending(f.cloud.aws, ASSIGN), "<networkInterfaceId>%s</networkInterfaceId>",
                     ENI);
    settle(&f);
    give_back(&f, &deleted, "10.0.1.20", "a");
    put(&f, &asked, "10.0.1.20", "b");
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20", "");
    fail_call(&f, ASSIGN, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* An address of another node comes here, and that is not told: nor is it given back then, being here. */
static void test_lost_reply_of_a_take_over(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    look_answer(&f, "eni-other", "", "2001:db8::20");
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    fake_call_lose(fake_aws_pending(f.cloud.aws, ASSIGN6)); /* carried out */
    settle(&f);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-other"));
    fake_call_fail(fake_aws_pending(f.cloud.aws, ASSIGN6), "InvalidIPAddress.InUse",
                   "Address 2001:db8::20 is in use.");
    give_back(&f, &deleted, "2001:db8::20", "pod"); /* before the look has begun */
    settle(&f);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
    look_answer(&f, ENI, "10.0.1.10", "2001:db8::20");
    advance(&f, USEC_PER_MINUTE);
    assert_true(
        fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "NetworkInterfaceId", ENI));
    cloud_answer(&f.cloud, "UnassignIpv6Addresses");
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_reply),
        cmocka_unit_test(test_lost_reply_and_given_back),
        cmocka_unit_test(test_lost_reply_is_remembered),
        cmocka_unit_test(test_lost_reply_of_a_move),
        cmocka_unit_test(test_untold),
        cmocka_unit_test(test_untold_and_not_seen),
        cmocka_unit_test(test_untold_and_wanted_again),
        cmocka_unit_test(test_lost_reply_of_a_take_over),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
