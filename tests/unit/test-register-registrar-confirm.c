/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Another node may have taken an address, and nobody tells: what EC2 said a while ago is not repeated
 * to who asks for it again. How long that is, is trust.c's.
 */

#include "lib/fake-aws/registry.h"
#include "register/registrar-private.h"
#include "util/log.h"
#include <string.h>

static void begin(Fixture *f)
{
    fixture_init(f);
    fixture_start(f);
    register_ok(f, "10.0.1.20", "a");
    register_ok(f, "10.0.1.21", "b");
    advance(f, TRUST_MAX);
}

static void assert_stored(const Fixture *f, const char *text)
{
    Registration r;

    assert_int_equal(stored(f, text, &r), 1);
}

/* One look for all who ask, and then nobody has to for a while. */
static void test_still_here(void **unused _unused_)
{
    Asked asked[3] = {0};
    Fixture f;

    begin(&f);
    put(&f, &asked[0], "10.0.1.20", "a");
    put(&f, &asked[1], "10.0.1.21", "new");
    settle(&f);
    assert_int_equal(asked[0].status, 0);
    assert_int_equal(pending(&f, DESCRIBE), 1);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20 10.0.1.21", "");
    assert_int_equal(asked[0].status, 200);
    assert_int_equal(asked[1].status, 200);
    assert_string_equal(find(&f, "10.0.1.21")->owner, "new");
    put(&f, &asked[2], "10.0.1.20", "a");
    assert_int_equal(asked[2].status, 200);
    assert_int_equal(pending(&f, NULL), 0);
    assert_int_equal(fake_aws_n(f.cloud.aws), 3);
    fixture_done(&f);
}

/* It was taken: it is brought back, since that is what was asked for; the other one is not. */
static void test_taken(void **unused _unused_)
{
    static const char *const owners[] = {"a", "new"};

    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        Asked asked = {0};
        Fixture f;

        begin(&f);
        advance(&f, 2 * USEC_PER_MINUTE);
        put(&f, &asked, "10.0.1.20", owners[i]);
        settle(&f);
        look_answer(&f, ENI, "10.0.1.10", "");
        assert_null(find(&f, "10.0.1.21"));
        assert_int_equal(asked.status, 0);
        assign_ok(&f);
        assert_int_equal(asked.status, 200);
        assert_int_equal(registrar_statistics(f.registrar)->n_moved_here, 1);
        assert_int_equal(pending(&f, NULL), 0);
        fixture_done(&f);
    }
}

/* It was taken and cannot be had back: then it is nowhere here. */
static void test_taken_for_good(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    begin(&f);
    advance(&f, REGISTRAR_FRESH);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.21", "");
    fail_call(&f, ASSIGN, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    assert_null(find(&f, "10.0.1.20"));
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* EC2 does not answer: nobody knows better than before, and the owner is who it was. */
static void test_no_answer(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    begin(&f);
    put(&f, &asked, "10.0.1.20", "new");
    settle(&f);
    assert_stored(&f, "10.0.1.20");
    fail_call(&f, DESCRIBE, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "a");
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_WANTED);
    assert_true(find(&f, "10.0.1.20")->assigned);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* The old owner goes while the new one waits in vain: nobody's. */
static void test_no_answer_and_given_back(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    begin(&f);
    put(&f, &asked, "10.0.1.20", "new");
    settle(&f);
    give_back(&f, &deleted, "10.0.1.20", "a");
    settle(&f);
    assert_int_equal(deleted.status, 409);
    fail_call(&f, DESCRIBE, "UnauthorizedOperation", "no");
    assert_int_equal(asked.status, 502);
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_RELEASED);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_null(find(&f, "10.0.1.20"));
    fixture_done(&f);
}

/* Given back by the new owner while EC2 is looked at. */
static void test_given_back(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Fixture f;

    begin(&f);
    put(&f, &asked, "10.0.1.20", "new");
    settle(&f);
    give_back(&f, &deleted, "10.0.1.20", "new");
    settle(&f);
    assert_int_equal(deleted.status, 200);
    assert_int_equal(asked.status, 409);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20 10.0.1.21", "");
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_RELEASED);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 1);
    fixture_done(&f);
}

static unsigned put_now(Fixture *f, const char *text, const char *owner)
{
    Asked asked = {0};

    put(f, &asked, text, owner);
    asked.wait = registrar_wait_free(asked.wait);
    settle(f);
    return asked.status;
}

/* It moves away and is wanted back, by requests that come one after the other: never from memory. */
static void test_back_at_once(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    assert_int_equal(put_now(&f, "10.0.1.20", "a"), 200);
    advance(&f, TRUST_REPEAT);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    assert_int_equal(asked.status, 0);
    look_answer(&f, ENI, "10.0.1.10", "");
    /* EC2's describes may be behind: it is not taken from anybody before EC2 says that somebody has it. */
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN), "AllowReassignment", "false"));
    fail_call(&f, ASSIGN, "InvalidParameterValue", "Address 10.0.1.20 is already assigned.");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN), "AllowReassignment", "true"));
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    assert_int_equal(registrar_statistics(f.registrar)->n_moved_here, 1);
    fixture_done(&f);
}

/* EC2 assigns it, and does not show it for a while: that is no fight, and nothing is forgotten. */
static void test_describes_lag(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    for (unsigned i = 0; i < 6; i++) {
        advance(&f, 3 * SECOND);
        put(&f, &asked, "10.0.1.20", "a");
        settle(&f);
        look_answer(&f, ENI, "10.0.1.10", "");
        assert_int_equal(asked.status, 0);
        assert_stored(&f, "10.0.1.20");
        assign_ok(&f);
        assert_int_equal(asked.status, 200);
    }
    assert_int_equal(registrar_statistics(f.registrar)->n_moved_here, 0);
    assert_int_equal(registrar_statistics(f.registrar)->n_flapping, 0);

    /* Seen once, it may be gone from then on. */
    advance(&f, 3 * SECOND);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20", "");
    assert_int_equal(asked.status, 200);
    advance(&f, 3 * SECOND);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10", "");
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN), "AllowReassignment", "true"));
    assign_ok(&f);
    assert_int_equal(registrar_statistics(f.registrar)->n_moved_here, 1);
    fixture_done(&f);
}

/* Without pause, nobody waits: what ages is renewed meanwhile. */
static void test_without_pause(void **unused _unused_)
{
    size_t n_looks = 0;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    for (usec_t passed = 0; passed < 20 * SECOND; passed += TRUST_REPEAT / 2) {
        advance(&f, TRUST_REPEAT / 2);
        assert_int_equal(put_now(&f, "10.0.1.20", "a"), 200);
        assert_in_range(pending(&f, NULL), 0, 1);
        /* It takes a while, and one is enough. */
        if (pending(&f, DESCRIBE) && passed % SECOND == 0) {
            look_answer(&f, ENI, "10.0.1.10 10.0.1.20", "");
            n_looks++;
        }
    }
    assert_in_range(n_looks, 4, 6);
    assert_int_equal(fake_aws_n(f.cloud.aws), 1 + n_looks + pending(&f, NULL));
    fixture_done(&f);
}

/* The renewing finds that it has moved away: the next who asks gets it back. */
static void test_renewed_and_gone(void **unused _unused_)
{
    Fixture f;

    begin(&f);
    advance(&f, 2 * USEC_PER_MINUTE);
    assert_int_equal(put_now(&f, "10.0.1.20", "a"), 0);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20 10.0.1.21", "");
    for (usec_t passed = 0; passed < TRUST_REFRESH; passed += TRUST_REPEAT / 2) {
        assert_int_equal(put_now(&f, "10.0.1.20", "a"), 200);
        advance(&f, TRUST_REPEAT / 2);
    }
    assert_int_equal(put_now(&f, "10.0.1.20", "a"), 200);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.21", "");
    assert_null(find(&f, "10.0.1.20"));
    assert_int_equal(put_now(&f, "10.0.1.20", "a"), 0);
    assert_int_equal(pending(&f, ASSIGN), 1);
    fixture_done(&f);
}

/* Who asks all the time does not use up the account's rate of calls. */
static void test_bounded(void **unused _unused_)
{
    size_t n = 0;
    Fixture f;

    begin(&f);
    for (usec_t passed = 0; passed < 100 * SECOND; passed += 5 * TRUST_REPEAT) {
        advance(&f, 5 * TRUST_REPEAT);
        (void)put_now(&f, "10.0.1.20", "a");
        if (pending(&f, DESCRIBE)) {
            look_answer(&f, ENI, "10.0.1.10 10.0.1.20 10.0.1.21", "");
            n++;
        }
    }
    assert_in_range(n, TRUST_LOOKS, TRUST_LOOKS + 100 * SECOND / TRUST_EVERY);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_done(&f);
}

/* What the daemon is killed in the middle of belongs to whom it was answered. */
static void test_killed(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    begin(&f);
    put(&f, &asked, "10.0.1.20", "new");
    settle(&f);
    fixture_stop(&f);
    asked.wait = registrar_wait_free(asked.wait);
    fixture_show(&f, "10.0.1.20");
    fixture_show(&f, "10.0.1.21");
    fixture_start(&f);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "a");
    fixture_done(&f);
}

/* The same, and the old owner has gone: that is on disk before he is answered. */
static void test_killed_and_given_back(void **unused _unused_)
{
    Asked asked = {0}, deleted = {0};
    Registration r;
    Fixture f;

    begin(&f);
    put(&f, &asked, "10.0.1.20", "new");
    settle(&f);
    give_back(&f, &deleted, "10.0.1.20", "a");
    settle(&f);
    assert_int_equal(deleted.status, 409);
    assert_int_equal(stored(&f, "10.0.1.20", &r), 1);
    assert_int_equal(r.state, REGISTRATION_RELEASED);
    fixture_stop(&f);
    asked.wait = registrar_wait_free(asked.wait);
    fixture_show(&f, "10.0.1.20");
    fixture_show(&f, "10.0.1.21");
    fixture_start(&f);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_null(find(&f, "10.0.1.20"));
    fixture_done(&f);
}

/* What has moved away a moment ago, or may be the interface's own, is not taken for somebody's remains. */
static void test_not_found(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    register_ok(&f, "10.0.1.21", "b");
    advance(&f, 2 * USEC_PER_MINUTE);
    for (int i = 0; i < 2; i++) {
        asked = (Asked){0};
        put(&f, &asked, "10.0.1.20", "a");
        settle(&f);
        look_answer(&f, ENI, i == 0 ? "10.0.1.10 10.0.1.20" : "10.0.1.10 10.0.1.20 10.0.1.21",
                    "2001:db8::30");
        assert_int_equal(asked.status, 200);
        assert_null(find(&f, "10.0.1.21"));
        assert_null(find(&f, "2001:db8::30"));
        assert_null(state_find_own(registrar_state(f.registrar), ENI));
        advance(&f, 10 * SECOND);
    }
    fixture_done(&f);
}

/* What a look shows and nobody knows: released as what is found at a start; not so the interface's own. */
static void test_found(void **unused _unused_)
{
    Asked asked = {0};
    InAddr own;
    Fixture f;

    fixture_init(&f);
    f.ips6[f.n_ips6++] = address("2001:db8::10");
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    advance(&f, 2 * USEC_PER_MINUTE);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    look_answer(&f, ENI, "10.0.1.10 10.0.1.20 10.0.1.21", "2001:db8::10 2001:db8::21");
    assert_int_equal(asked.status, 200);
    assert_int_equal(state_n(registrar_state(f.registrar)), 3);
    assert_int_equal(find(&f, "10.0.1.21")->state, REGISTRATION_RELEASED);
    assert_int_equal(find(&f, "2001:db8::21")->state, REGISTRATION_RELEASED);
    own = address("2001:db8::10");
    assert_true(in_addr_equal(state_find_own(registrar_state(f.registrar), ENI), &own));
    settle(&f);
    assert_int_equal(stored(&f, "10.0.1.21", NULL), 1);
    advance(&f, 40 * SECOND);
    unassign_ok(&f);
    assert_null(find(&f, "10.0.1.21"));
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_WANTED);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_still_here),
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_taken_for_good),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_no_answer_and_given_back),
        cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_back_at_once),
        cmocka_unit_test(test_describes_lag),
        cmocka_unit_test(test_without_pause),
        cmocka_unit_test(test_renewed_and_gone),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_and_given_back),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_not_found),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
