/* SPDX-License-Identifier: Apache-2.0 */

/* What moved to another node while a pod here has it still: not taken back by the daemon itself. */

#include "lib/fake-aws/seen.h"
#include "util/log.h"

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

/* It is free already, by the time that it is asked for: that is no fight with anybody. */
static void test_free_already(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    advance(&f, 2 * USEC_PER_MINUTE);
    s = restart_with_pod(&f, s, V4);
    assert_false(is_taken_from_others(&f));
    assign_ok(&f);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    assert_int_equal(registrar_statistics(f.registrar)->n_moved_here, 0);
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
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
    for (unsigned how = 0; how < 5; how++) {
        const SightingKey key = key_of(1, V4);
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
        /* In one turn of the loop: before it is on disk that it was given up. */
        if (how == 4) {
            sightings_remove(s, &key);
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
        assert_has(&f, V4, how == 1 || how == 4 ? owner_of_pod(1) : how == 2 ? owner_of_pod(2) : "me", ENI);
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
    static const struct {
        const char *owner; /* who asked for what the pod has */
        bool retried;
    } cases[] = {{NULL, true}, {NULL, false}, {RUNTIME, true}, {RUNTIME, false}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Asked asked = {0};
        Sightings *s;
        Fixture f;

        s = begin_with_pod(&f, V4);
        if (cases[i].owner)
            put_on(&f, &asked, V4, "eth1", cases[i].owner);
        register_ok(&f, "10.0.1.30", "other");
        advance(&f, 2 * USEC_PER_MINUTE);
        put(&f, &asked, "10.0.1.30", "other");
        settle(&f);
        look_answer(&f, ENI, "10.0.1.10 10.0.1.30", "");
        assert_int_equal(asked.status, 200);
        assert_null(find(&f, V4));
        assert_int_equal(pending(&f, NULL), 0);
        if (cases[i].retried) {
            advance(&f, 6 * SECOND);
            assert_refused_without_taking(&f);
        }

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

/* Somebody's look at the interface, a good while later: it is not there. */
static void notice(Fixture *f)
{
    Asked asked = {0};

    register_ok(f, "10.0.1.30", "other");
    advance(f, 2 * USEC_PER_MINUTE);
    put(f, &asked, "10.0.1.30", "other");
    settle(f);
    look_answer(f, ENI, "10.0.1.10 10.0.1.30", "");
    assert_int_equal(asked.status, 200);
    assert_null(find(f, V4));
    assert_int_equal(pending(f, NULL), 0);
}

/* A runtime asked for it before the pod was seen. It was the pod's all the same. */
static void test_moved_away_from_a_runtime(void **unused _unused_)
{
    for (unsigned noticed = 0; noticed < 2; noticed++) {
        Asked asked = {0};
        Sightings *s;
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        s = begin(&f);
        sightings_settle(s);
        put_on(&f, &asked, V4, "eth1", RUNTIME);
        settle(&f);
        assign_ok(&f);
        see(&f, s, 1, V4, "eth1");
        assert_has(&f, V4, RUNTIME, ENI);
        if (noticed) {
            notice(&f);
            advance(&f, 6 * SECOND);
            assert_refused_without_taking(&f);
        } else {
            /* Given back, it stays where it is believed to be, without a call. */
            advance(&f, 2 * USEC_PER_MINUTE);
            give_back_ok(&f, V4, RUNTIME);
            assert_has(&f, V4, owner_of_pod(1), ENI);
            assert_rest(&f);
            assert_int_equal(fake_aws_n(f.cloud.aws), 1);
        }
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* Of two pods the newer one has it; the daemon starts anew, it moves away, and the newer one ends. */
static void test_moved_away_from_the_newer_after_a_start(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    see(&f, s, 2, V4, "eth1");
    assert_has(&f, V4, owner_of_pod(2), ENI);
    (void)sightings_free(s);
    fixture_stop(&f);
    fixture_show(&f, V4);
    fixture_start(&f);
    s = begin(&f);
    see(&f, s, 1, V4, "eth1");
    see(&f, s, 2, V4, "eth1");
    sightings_settle(s);
    settle(&f);
    assert_has(&f, V4, owner_of_pod(2), ENI);
    notice(&f);
    gone(&f, s, 2, V4);
    assert_refused_without_taking(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* From another interface of the node it comes, and from nobody else: that one is looked at first. */
static void test_moved_away_from_another_interface(void **unused _unused_)
{
    for (unsigned there = 0; there < 2; there++) {
        const FakeCall *call;
        Sightings *s;
        Fixture f;

        s = begin_with_pod(&f, V6);
        see(&f, s, 2, V6, "eth2");
        assign6_ok(&f, V6);
        assert_has(&f, V6, owner_of_pod(2), "eni-2");
        advance(&f, 2 * USEC_PER_MINUTE);
        gone(&f, s, 2, V6);
        assert_int_equal(pending(&f, ASSIGN6), 0);
        look_answer(&f, "eni-2", "10.0.2.10", there ? V6 : "");
        advance(&f, SECOND);
        call = fake_aws_pending(f.cloud.aws, ASSIGN6);
        assert_true(fake_call_has(call, "NetworkInterfaceId", ENI));
        fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
        /* Whether it may be taken from who has it. */
        assert_int_equal(pending(&f, DESCRIBE), there);
        assert_int_equal(pending(&f, NULL), there);
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* It waits for it to be free, and somebody here asks for it on another interface: it goes where the pod is.
 */
static void test_moved_away_and_elsewhere_here(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V6);
    advance(&f, 2 * USEC_PER_MINUTE);
    s = restart_with_pod(&f, s, V6);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    put_on(&f, &asked, V6, "eth2", "me");
    settle(&f);
    assign6_ok(&f, V6);
    assert_int_equal(asked.status, 200);
    advance(&f, 6 * SECOND);
    look_answer(&f, "eni-2", "10.0.2.10", V6);
    advance(&f, SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    assert_int_equal(pending(&f, DESCRIBE), 1);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* Whether EC2 assigned it without taking it is not known: that is no reason to take it the next time. */
static void test_moved_away_and_no_reply(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    s = restart_with_pod(&f, s, V4);
    look_answer(&f, ENI, "10.0.1.10", "");
    assert_false(is_taken_from_others(&f));
    fake_call_lose(fake_aws_pending(f.cloud.aws, ASSIGN));
    settle(&f);
    s = restart_with_pod(&f, s, V4);
    assert_refused_without_taking(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* Its pod ends while it is asked for: what is refused then is nobody's wish any more. */
static void test_moved_away_and_ended_meanwhile(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V6);
    advance(&f, 2 * USEC_PER_MINUTE);
    s = restart_with_pod(&f, s, V6);
    gone(&f, s, 1, V6);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    advance(&f, USEC_PER_MINUTE);
    assert_null(find(&f, V6));
    assert_rest(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* Somebody asks for what the pod waits for, and gives it back while it is asked for: so the pod waits again.
 */
static void test_moved_away_and_asked_for_in_vain(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V6);
    advance(&f, 2 * USEC_PER_MINUTE);
    s = restart_with_pod(&f, s, V6);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    put_on(&f, &asked, V6, "eth1", "me");
    settle(&f);
    give_back_ok(&f, V6, "me");
    assert_int_equal(asked.status, 409);
    advance(&f, 11 * SECOND);
    fail_call(&f, ASSIGN6, "InvalidIPAddress.InUse", "Address " V6 " is in use.");
    assert_int_equal(pending(&f, DESCRIBE), 0);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* Begins: somebody has what a pod has, asks again, and EC2's describes are behind. */
static Sightings *begin_insisting(Fixture *f, Asked *asked)
{
    Sightings *s = begin_with_pod(f, V4);

    put(f, asked, V4, "me");
    settle(f);
    assert_int_equal(asked->status, 200);
    advance(f, 3 * SECOND);
    put(f, asked, V4, "me");
    settle(f);
    look_answer(f, ENI, "10.0.1.10", "");
    assert_false(is_taken_from_others(f));
    return s;
}

/* He gives it back meanwhile, and so nobody asks for it anew. */
static void test_given_back_while_insisting(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    s = begin_insisting(&f, &asked);
    give_back_ok(&f, V4, "me");
    fail_call(&f, ASSIGN, "InvalidParameterValue", "Address " V4 " is already assigned.");
    assert_int_equal(pending(&f, NULL), 0);
    assert_null(find(&f, V4));
    advance(&f, 6 * SECOND);
    assert_refused_without_taking(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* The same, and EC2 does not say who has it: he who gave it back does not get it again. */
static void test_given_back_and_denied(void **unused _unused_)
{
    Asked asked = {0};
    Sightings *s;
    Fixture f;

    s = begin_insisting(&f, &asked);
    give_back_ok(&f, V4, "me");
    fail_call(&f, ASSIGN, "UnauthorizedOperation", "no");
    advance(&f, USEC_PER_MINUTE);
    if (pending(&f, ASSIGN))
        assign_ok(&f);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* It is on another interface of this node, and EC2's describes are behind: that is not gone. */
static void test_describes_lag_elsewhere(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V6);
    see(&f, s, 2, V6, "eth2");
    assign6_ok(&f, V6);
    advance(&f, 10 * SECOND);
    gone(&f, s, 2, V6);
    look_answer(&f, "eni-2", "10.0.2.10", "");
    assert_non_null(find(&f, V6));
    advance(&f, USEC_PER_MINUTE);
    look_answer(&f, "eni-2", "10.0.2.10", V6);
    advance(&f, USEC_PER_MINUTE);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", ENI));
    (void)sightings_free(s);
    fixture_done(&f);
}

/* The older of two pods was never asked, and what the newer one had is not its to fetch; nor after a start.
 */
static void test_moved_away_from_both(void **unused _unused_)
{
    for (unsigned started = 0; started < 2; started++) {
        const SightingKey key = key_of(1, V4);
        Sightings *s;
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        s = begin(&f);
        sightings_settle(s);
        assert_int_equal(sightings_add(s, &key, "eth1", owner_of_pod(1)), 0);
        see(&f, s, 2, V4, "eth1");
        assign_ok(&f);
        assert_has(&f, V4, owner_of_pod(2), ENI);
        notice(&f);
        if (started) {
            (void)sightings_free(s);
            fixture_stop(&f);
            fixture_show(&f, "10.0.1.30");
            fixture_start(&f);
            s = begin(&f);
            see(&f, s, 1, V4, "eth1");
            see(&f, s, 2, V4, "eth1");
            sightings_settle(s);
            settle(&f);
        } else {
            gone(&f, s, 2, V4);
        }
        assert_refused_without_taking(&f);
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* What is looked at in between does not make it ask more often. */
static void test_pauses_grow(void **unused _unused_)
{
    size_t n = 0;
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V6);
    see(&f, s, 2, V6, "eth2");
    assign6_ok(&f, V6);
    gone(&f, s, 2, V6);
    for (unsigned seconds = 0; seconds < 3600; seconds++) {
        if (pending(&f, DESCRIBE))
            look_answer(&f, "eni-2", "10.0.2.10", V6);
        if (pending(&f, ASSIGN6)) {
            fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
            n++;
        }
        advance(&f, SECOND);
    }
    assert_in_range(n, 5, 15);
    (void)sightings_free(s);
    fixture_done(&f);
}

/* What pods had before the host was started anew is of no concern. */
static void test_moved_away_and_rebooted(void **unused _unused_)
{
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    advance(&f, 2 * USEC_PER_MINUTE);
    s = restart_with_pod(&f, s, V4);
    assert_refused_without_taking(&f);
    f.options.boot_id = "boot-2";
    s = restart_with_pod(&f, s, V4);
    assert_true(is_taken_from_others(&f));
    assign_ok(&f);
    assert_has(&f, V4, owner_of_pod(1), ENI);
    (void)sightings_free(s);
    fixture_done(&f);
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

/* Two pods had it, and one of them ends, in whatever order they asked: the other one does not take it back.
 */
static void test_moved_away_and_one_ends(void **unused _unused_)
{
    for (int i = 0; i < 12; i++) {
        const int ends = 1 + i % 2, stays = 2 - i % 2;
        Sightings *s;
        Fixture f;

        s = begin_with_pod(&f, V4);
        see(&f, s, 2, V4, "eth1");
        advance(&f, 2 * USEC_PER_MINUTE);
        (void)sightings_free(s);
        fixture_stop(&f);
        fixture_start(&f);
        s = begin(&f);
        see(&f, s, i % 4 < 2 ? 1 : 2, V4, "eth1");
        see(&f, s, i % 4 < 2 ? 2 : 1, V4, "eth1");
        sightings_settle(s);
        settle(&f);
        assert_refused_without_taking(&f);
        /* Each of them asks again after a while. */
        for (int n_again = 0; n_again < i / 4; n_again++) {
            while (pending(&f, ASSIGN) == 0)
                advance(&f, 5 * SECOND);
            assert_refused_without_taking(&f);
        }
        gone(&f, s, ends, V4);
        /* Killed before the other one was told. */
        (void)sightings_free(s);
        fixture_stop(&f);
        fake_aws_forget(f.cloud.aws);
        fixture_start(&f);
        s = begin(&f);
        see(&f, s, stays, V4, "eth1");
        sightings_settle(s);
        settle(&f);
        assert_refused_without_taking(&f);
        /* Then he ends, too, and it is nobody's. */
        gone(&f, s, stays, V4);
        see(&f, s, 3, V4, "eth1");
        assert_true(is_taken_from_others(&f));
        (void)sightings_free(s);
        fixture_done(&f);
    }
}

/* Somebody fetches it, gives it back before that is done, and the pod inherits it: it is not fetched for
 * that. */
static void test_inherited_while_fetched(void **unused _unused_)
{
    Asked fetched = {0}, deleted = {0};
    FakeCall *call;
    Sightings *s;
    Fixture f;

    s = begin_with_pod(&f, V4);
    advance(&f, 2 * USEC_PER_MINUTE);
    put(&f, &fetched, V4, "y");
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10", "");
    call = fake_aws_pending(f.cloud.aws, ASSIGN);
    assert_true(is_taken_from_others(&f));
    fake_call_throttle(call);
    assert_true(is_taken_from_others(&f));
    give_back(&f, &deleted, V4, "y");
    settle(&f);
    assert_string_equal(find(&f, V4)->owner, owner_of_pod(1));
    fake_call_throttle(call);
    settle(&f);
    assert_refused_without_taking(&f);
    (void)sightings_free(s);
    fixture_done(&f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inherited_while_fetched),
        cmocka_unit_test(test_free_already),
        cmocka_unit_test(test_moved_away),
        cmocka_unit_test(test_moved_away_and_wanted),
        cmocka_unit_test(test_moved_away_ipv6),
        cmocka_unit_test(test_moved_away_a_moment_ago),
        cmocka_unit_test(test_moved_away_and_noticed),
        cmocka_unit_test(test_moved_away_and_given_up),
        cmocka_unit_test(test_moved_away_from_a_runtime),
        cmocka_unit_test(test_moved_away_from_the_newer_after_a_start),
        cmocka_unit_test(test_moved_away_from_another_interface),
        cmocka_unit_test(test_moved_away_and_elsewhere_here),
        cmocka_unit_test(test_moved_away_and_no_reply),
        cmocka_unit_test(test_moved_away_and_ended_meanwhile),
        cmocka_unit_test(test_moved_away_and_asked_for_in_vain),
        cmocka_unit_test(test_given_back_while_insisting),
        cmocka_unit_test(test_given_back_and_denied),
        cmocka_unit_test(test_describes_lag_elsewhere),
        cmocka_unit_test(test_moved_away_from_both),
        cmocka_unit_test(test_pauses_grow),
        cmocka_unit_test(test_moved_away_and_rebooted),
        cmocka_unit_test(test_moved_away_and_new),
        cmocka_unit_test(test_moved_away_from_the_newer),
        cmocka_unit_test(test_moved_away_and_one_ends),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests_name("sightings that moved away", tests, NULL, NULL);
}
