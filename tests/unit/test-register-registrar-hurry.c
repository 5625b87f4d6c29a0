/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is to be assigned does not wait long for a look, a move or an unassignment, which EC2 may put off for
 * minutes.
 */

#include "lib/fake-aws/registry.h"
#include "util/log.h"
#include <stdio.h>

#define UNASSIGN6 "UnassignIpv6Addresses"

static FakeCall *assigning(const Fixture *f, const char *text)
{
    return fake_aws_pending_with(f->cloud.aws, ASSIGN6, "Ipv6Addresses.1", text);
}

/* An address was registered a while ago, and is asked for again. */
static void begin_look(Fixture *f, Asked *asked)
{
    fixture_init(f);
    fixture_start(f);
    register_ok(f, "10.0.1.20", "a");
    advance(f, 2 * USEC_PER_MINUTE);
    put(f, asked, "10.0.1.20", "a");
    settle(f);
    assert_int_equal(pending(f, DESCRIBE), 1);
}

static void test_look_is_put_off(void **unused _unused_)
{
    Asked asked = {0}, other = {0};
    Fixture f;

    begin_look(&f, &asked);
    advance(&f, 2 * SECOND);
    put(&f, &other, "10.0.1.21", "b");
    settle(&f);
    assert_int_equal(pending(&f, DESCRIBE), 1);
    assert_int_equal(pending(&f, NULL), 1);
    advance(&f, 2 * SECOND);
    assert_int_equal(pending(&f, DESCRIBE), 0);
    assign_ok(&f);
    assert_int_equal(other.status, 200);
    assert_int_equal(asked.status, 0);
    /* It comes later, and is not put off for nobody. */
    assert_int_equal(pending(&f, NULL), 0);
    advance(&f, 4 * SECOND);
    assert_int_equal(pending(&f, DESCRIBE), 1);
    advance(&f, 20 * SECOND);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20 10.0.1.21", "");
    assert_int_equal(asked.status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* It has taken long already when somebody comes. */
static void test_look_is_put_off_at_once(void **unused _unused_)
{
    Asked asked = {0}, other = {0};
    Fixture f;

    begin_look(&f, &asked);
    advance(&f, 10 * SECOND);
    put(&f, &other, "10.0.1.21", "b");
    settle(&f);
    assign_ok(&f);
    assert_int_equal(other.status, 200);
    asked.wait = registrar_wait_free(asked.wait);
    fixture_done(&f);
}

/* He waited already when it began. */
static void test_look_begins_with_waiters(void **unused _unused_)
{
    Asked asked = {0}, other = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    advance(&f, 2 * USEC_PER_MINUTE);
    put(&f, &asked, "10.0.1.20", "a");
    put(&f, &other, "10.0.1.21", "b");
    settle(&f);
    assert_int_equal(pending(&f, DESCRIBE), 1);
    advance(&f, 4 * SECOND);
    assign_ok(&f);
    assert_int_equal(other.status, 200);
    asked.wait = registrar_wait_free(asked.wait);
    fixture_done(&f);
}

/* New addresses come all the time: a look has longer with each that is put off, and so its turn. */
static void test_look_has_its_turn(void **unused _unused_)
{
    Asked asked = {0};
    unsigned n_looked = 0;
    char text[32];
    Fixture f;

    begin_look(&f, &asked);
    for (unsigned i = 0; i < 30 && n_looked < 20; i++) {
        Asked other = {0};

        (void)snprintf(text, sizeof(text), "10.0.1.%u", 30 + i);
        put(&f, &other, text, "b");
        settle(&f);
        advance(&f, 4 * SECOND);
        n_looked = pending(&f, DESCRIBE) ? n_looked + 4 : 0;
        if (pending(&f, ASSIGN))
            assign_ok(&f);
        other.wait = registrar_wait_free(other.wait);
    }
    assert_true(n_looked >= 20);
    asked.wait = registrar_wait_free(asked.wait);
    fixture_done(&f);
}

/* Another node has 2001:db8::20, and 2001:db8::30 is wanted after it: two moves, one after the other. */
static void begin_move(Fixture *f, Asked *asked, Asked *next)
{
    fixture_init(f);
    begin_conflict(f, asked);
    put_on(f, next, "2001:db8::30", "eth1", "pod");
    settle(f);
    look_answer(f, "eni-9", "", "2001:db8::20");
    cloud_answer(&f->cloud, UNASSIGN6);
    settle(f);
    assert_int_equal(pending(f, ASSIGN6), 1);
}

static void test_move_goes_on(void **unused _unused_)
{
    Asked asked = {0}, next = {0}, other = {0};
    Fixture f;

    begin_move(&f, &asked, &next);
    put(&f, &other, "10.0.1.21", "b");
    settle(&f);
    assert_int_equal(pending(&f, ASSIGN), 0);
    advance(&f, 4 * SECOND);
    assign_ok(&f);
    assert_int_equal(other.status, 200);
    fake_call_fail(assigning(&f, "2001:db8::30"), "InvalidIPAddress.InUse",
                   "Address 2001:db8::30 is in use.");
    settle(&f);
    /* One move at a time. */
    assert_int_equal(asked.status, 0);
    assert_int_equal(pending(&f, NULL), 1);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked.status, 200);
    look_answer(&f, "eni-9", "", "2001:db8::30");
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    assign6_ok(&f, "2001:db8::30");
    assert_int_equal(next.status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* It ends while another call is under way, and fails: each is told what is his. */
static void test_move_fails_beside(void **unused _unused_)
{
    Asked asked = {0}, next = {0};
    Registration r;
    Fixture f;

    begin_move(&f, &asked, &next);
    advance(&f, 4 * SECOND);
    fake_call_fail(assigning(&f, "2001:db8::20"), "UnauthorizedOperation", "no");
    settle(&f);
    assert_true(fake_call_has(assigning(&f, "2001:db8::20"), "NetworkInterfaceId", "eni-9"));
    fake_call_answer(assigning(&f, "2001:db8::20"), "<networkInterfaceId>eni-9</networkInterfaceId>");
    settle(&f);
    assert_int_equal(asked.status, 502);
    assert_int_equal(next.status, 0);
    assert_int_equal(stored(&f, "2001:db8::20", &r), 0);
    assign6_ok(&f, "2001:db8::30");
    assert_int_equal(next.status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* A look that began before the end of the move cannot tell what that has done. */
static void test_look_beside_a_move(void **unused _unused_)
{
    Asked asked = {0}, v4 = {0};
    Fixture f;

    fixture_init(&f);
    begin_conflict(&f, &asked);
    look_answer(&f, "eni-9", "", "2001:db8::20");
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    put(&f, &v4, "10.0.1.20", "v4");
    settle(&f);
    advance(&f, 4 * SECOND);
    assign_ok(&f);
    advance(&f, 10 * SECOND);
    v4 = (Asked){0};
    put(&f, &v4, "10.0.1.20", "v4");
    settle(&f);
    assert_int_equal(pending(&f, DESCRIBE), 1);
    fake_call_lose(assigning(&f, "2001:db8::20")); /* carried out */
    settle(&f);
    fake_call_fail(assigning(&f, "2001:db8::20"), "InvalidIPAddress.InUse",
                   "Address 2001:db8::20 is in use.");
    settle(&f);
    assert_int_equal(pending(&f, DESCRIBE), 1);
    assert_int_equal(cloud_count(&f.cloud, DESCRIBE), 3);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20", "2001:db8::20");
    assert_int_equal(asked.status, 200);
    assert_int_equal(v4.status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Freed with both under way. */
/* 10.0.1.20 was given back, and is being unassigned. */
static FakeCall *begin_unassign(Fixture *f)
{
    fixture_init(f);
    fixture_start(f);
    register_ok(f, "10.0.1.20", "a");
    give_back_ok(f, "10.0.1.20", "a");
    advance(f, 40 * SECOND);
    return fake_aws_pending(f->cloud.aws, UNASSIGN);
}

/* So is 2001:db8::20, which both interfaces may have. */
static FakeCall *begin_unassign6(Fixture *f, Asked *asked)
{
    fixture_init(f);
    fixture_start(f);
    put_on(f, asked, "2001:db8::20", "eth1", "a");
    settle(f);
    assign6_ok(f, "2001:db8::20");
    give_back_ok(f, "2001:db8::20", "a");
    advance(f, 40 * SECOND);
    return fake_aws_pending(f->cloud.aws, UNASSIGN6);
}

/* Refused for the rate: it gives way before its next try, and comes after what it was in the way of. */
static void test_unassign_gives_way(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    call = begin_unassign(&f);
    fake_call_rest(call, false);
    advance(&f, 2 * SECOND);
    assert_false(call->given_up);
    put(&f, &asked, "10.0.1.21", "b");
    settle(&f);
    fake_call_end(call);
    settle(&f);
    assert_int_equal(pending(&f, UNASSIGN), 0);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN), "PrivateIpAddress.1", "10.0.1.20"));
    unassign_ok(&f);
    assert_null(find(&f, "10.0.1.20"));
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Somebody comes while a try is under way, and that is refused, too. */
static void test_unassign_gives_way_later(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    call = begin_unassign(&f);
    put(&f, &asked, "10.0.1.21", "b");
    advance(&f, SECOND);
    assert_false(call->given_up);
    fake_call_rest(call, false);
    advance(&f, SECOND / 2);
    fake_call_end(call);
    settle(&f);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    unassign_ok(&f);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* It was not unassigned: it need not be gone before it is registered again. */
static void test_unassign_of_what_is_wanted_again(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    call = begin_unassign(&f);
    fake_call_rest(call, false);
    put(&f, &asked, "10.0.1.20", "b");
    settle(&f);
    fake_call_end(call);
    settle(&f);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "b");
    advance(&f, USEC_PER_MINUTE);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* Nor is it forgotten when it was wanted elsewhere in between, and cannot be registered in the end. */
static void test_unassign_of_what_went_and_came_back(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    call = begin_unassign6(&f, &asked);
    put_on(&f, &asked, "2001:db8::20", "eth2", "b");
    give_back_ok(&f, "2001:db8::20", "b");
    put_on(&f, &asked, "2001:db8::20", "eth1", "c");
    fake_call_rest(call, false);
    advance(&f, SECOND);
    fake_call_end(call);
    settle(&f);
    fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    advance(&f, 40 * SECOND);
    cloud_answer(&f.cloud, UNASSIGN6);
    settle(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    fixture_done(&f);
}

/* It is wanted on another interface, whose call waits for this one. */
static void test_unassign_of_what_is_wanted_elsewhere(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    call = begin_unassign6(&f, &asked);
    fake_call_rest(call, false);
    put_on(&f, &asked, "2001:db8::20", "eth2", "b");
    settle(&f);
    fake_call_end(call);
    settle(&f);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-2"));
    asked.wait = registrar_wait_free(asked.wait);
    fixture_done(&f);
}

/* It may have been carried out: it is repeated for three seconds, and then has failed. */
static void test_unassign_that_may_be_done(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    call = begin_unassign(&f);
    fake_call_rest(call, true);
    put(&f, &asked, "10.0.1.21", "b");
    advance(&f, 2 * SECOND);
    assert_false(call->given_up);
    advance(&f, 2 * SECOND);
    fake_call_end(call);
    settle(&f);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    advance(&f, 40 * SECOND);
    fail_call(&f, UNASSIGN, "InvalidParameterValue", "Some of the specified addresses are not assigned");
    look_answer(&f, ENI, "10.0.1.10 10.0.1.21", "");
    assert_null(find(&f, "10.0.1.20"));
    fixture_done(&f);
}

/* It makes room for what waits. */
static void test_unassign_for_room(void **unused _unused_)
{
    Asked asked = {0};
    FakeCall *call;
    Fixture f;

    fixture_init(&f);
    f.options.ipv4_limit = 3;
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    register_ok(&f, "10.0.1.22", "c");
    give_back_ok(&f, "10.0.1.20", "a");
    put(&f, &asked, "10.0.1.21", "b");
    settle(&f);
    call = fake_aws_pending(f.cloud.aws, UNASSIGN);
    fake_call_rest(call, false);
    advance(&f, 10 * SECOND);
    assert_false(call->given_up);
    unassign_ok(&f);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    fixture_done(&f);
}

/* One family is put off for as long as EC2 likes; the other one has its turn, and then both by turns. */
static void test_families_take_turns(void **unused _unused_)
{
    for (unsigned ambiguous = 0; ambiguous < 2; ambiguous++) {
        Asked six = {0}, four = {0}, five = {0};
        FakeCall *call;
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        put_on(&f, &six, "2001:db8::20", "eth1", "a");
        settle(&f);
        call = assigning(&f, "2001:db8::20");
        fake_call_rest(call, ambiguous);
        put(&f, &four, "10.0.1.20", "b");
        advance(&f, 2 * SECOND);
        assert_false(call->given_up);
        advance(&f, 2 * SECOND);
        fake_call_end(call);
        settle(&f);
        assert_int_equal(six.status, 0);
        assert_int_equal(pending(&f, ASSIGN6), 0);
        call = fake_aws_pending(f.cloud.aws, ASSIGN);
        fake_call_rest(call, false);
        advance(&f, 4 * SECOND);
        fake_call_end(call);
        settle(&f);
        assert_int_equal(pending(&f, ASSIGN), 0);
        assign6_ok(&f, "2001:db8::20");
        assert_int_equal(six.status, 200);
        assign_ok(&f);
        assert_int_equal(four.status, 200);

        /* Nobody else waits: it goes on. */
        put(&f, &five, "10.0.1.21", "b");
        settle(&f);
        call = fake_aws_pending(f.cloud.aws, ASSIGN);
        fake_call_rest(call, ambiguous);
        advance(&f, USEC_PER_MINUTE);
        assert_false(call->given_up);
        assign_ok(&f);
        assert_int_equal(five.status, 200);
        fixture_done(&f);
    }
}

static void test_freed(void **unused _unused_)
{
    Asked asked = {0}, next = {0};
    Fixture f;

    begin_move(&f, &asked, &next);
    advance(&f, 4 * SECOND);
    assert_int_equal(pending(&f, ASSIGN6), 2);
    fixture_stop(&f);
    asked.wait = registrar_wait_free(asked.wait);
    next.wait = registrar_wait_free(next.wait);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look_is_put_off),
        cmocka_unit_test(test_look_is_put_off_at_once),
        cmocka_unit_test(test_move_goes_on),
        cmocka_unit_test(test_move_fails_beside),
        cmocka_unit_test(test_look_begins_with_waiters),
        cmocka_unit_test(test_look_has_its_turn),
        cmocka_unit_test(test_look_beside_a_move),
        cmocka_unit_test(test_unassign_gives_way),
        cmocka_unit_test(test_unassign_gives_way_later),
        cmocka_unit_test(test_unassign_of_what_is_wanted_again),
        cmocka_unit_test(test_unassign_of_what_went_and_came_back),
        cmocka_unit_test(test_unassign_of_what_is_wanted_elsewhere),
        cmocka_unit_test(test_families_take_turns),
        cmocka_unit_test(test_unassign_that_may_be_done),
        cmocka_unit_test(test_unassign_for_room),
        cmocka_unit_test(test_freed),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
