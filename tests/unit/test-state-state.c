/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Registrations are found by address whatever the order they came in, and a move within the node can be
 * taken back.
 */

#include "lib/test.h"
#include "state/state.h"
#include <errno.h>
#include <stdio.h>

static InAddr address(unsigned i)
{
    InAddr result;
    char text[32];

    (void)snprintf(text, sizeof(text), i % 2 ? "10.0.%u.%u" : "2001:db8::%x:%x", i / 256, i % 256);
    assert_int_equal(in_addr_parse(text, &result), 0);
    return result;
}

static void test_order(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    Registration *r;
    InAddr a;

    assert_int_equal(state_new(&state), 0);
    /* 7 and 1000 have no common factor: every number once, in disorder. */
    for (unsigned i = 0; i < 1000; i++) {
        a = address(i * 7 % 1000);
        assert_null(state_find(state, &a));
        assert_int_equal(state_add(state, &a, "eni-1", &r), 0);
        assert_int_equal(state_add(state, &a, "eni-1", &r), -EEXIST);
    }
    for (size_t i = 1; i < state_n(state); i++)
        assert_true(in_addr_compare(&state_get(state, i - 1)->address, &state_get(state, i)->address) < 0);
    for (unsigned i = 0; i < 1000; i += 2) {
        a = address(i);
        state_remove(state, state_find(state, &a));
    }
    assert_int_equal(state_n(state), 500);
    for (unsigned i = 0; i < 1000; i++) {
        a = address(i);
        r = state_find(state, &a);
        assert_int_equal(r != NULL, i % 2);
        assert_true(!r || in_addr_equal(&r->address, &a));
    }
}

static void test_set(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    InAddr a = address(1);
    Registration *r;

    assert_int_equal(state_new(&state), 0);
    assert_int_equal(state_add(state, &a, "eni-1", &r), 0);
    assert_string_equal(r->owner, "");
    assert_int_equal(r->state, REGISTRATION_WANTED);
    assert_false(r->assigned);
    assert_int_equal(registration_set(r, REGISTRATION_STALE, "pod", "boot", 7), 0);
    assert_int_equal(registration_set(r, REGISTRATION_RELEASED, NULL, NULL, 8), 0);
    assert_string_equal(r->owner, "pod");
    assert_string_equal(r->boot_id, "boot");
    assert_int_equal(r->since, 8);
    /* From its own strings. */
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, r->owner, r->boot_id, 9), 0);
    assert_string_equal(r->owner, "pod");
}

static void test_move(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    InAddr a = address(1);
    Registration *r;

    assert_int_equal(state_new(&state), 0);
    assert_int_equal(state_add(state, &a, "eni-1", &r), 0);
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, "first", "boot", 1), 0);
    r->assigned = true;

    assert_int_equal(registration_move(r, "eni-2"), 0);
    assert_false(r->assigned);
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, "second", NULL, 2), 0);
    assert_int_equal(registration_move(r, "eni-3"), 0);
    registration_restore(r);
    assert_string_equal(r->network_interface_id, "eni-1");
    assert_string_equal(r->owner, "first");
    assert_true(r->assigned);
    assert_int_equal(r->since, 1);

    /* What was given up before it was to move is that again; what was given up meanwhile is, too. */
    assert_int_equal(registration_set(r, REGISTRATION_STALE, NULL, NULL, 3), 0);
    assert_int_equal(registration_move(r, "eni-2"), 0);
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, "second", NULL, 4), 0);
    registration_restore(r);
    assert_int_equal(r->state, REGISTRATION_STALE);
    assert_int_equal(r->since, 3);
    assert_int_equal(registration_move(r, "eni-2"), 0);
    assert_int_equal(registration_set(r, REGISTRATION_RELEASED, "second", NULL, 5), 0);
    registration_restore(r);
    assert_int_equal(r->state, REGISTRATION_RELEASED);
    assert_int_equal(r->since, 5);

    assert_int_equal(registration_move(r, "eni-2"), 0);
    registration_settle(r);
    registration_restore(r); /* nothing to restore */
    assert_string_equal(r->network_interface_id, "eni-2");
}

static void test_moved_away(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    InAddr a = address(1), b = address(2);
    Registration *r;

    assert_int_equal(state_new(&state), 0);
    assert_null(state_moved_away(state));
    assert_false(state_forget_moved_away(state, &a));
    assert_int_equal(state_add(state, &a, "eni-1", &r), 0);
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, "first", "boot", 1), 0);
    assert_int_equal(state_note_moved_away(state, r, 10), 0);
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, "second", NULL, 2), 0);
    assert_int_equal(state_note_moved_away(state, r, 20), 0);
    state_remove(state, r);
    assert_int_equal(state_n(state), 0);

    /* The last owner is the one, and the note is its own. */
    assert_int_equal(state_n(state_moved_away(state)), 1);
    r = state_find(state_moved_away(state), &a);
    assert_string_equal(r->owner, "second");
    assert_string_equal(r->boot_id, "boot");
    assert_int_equal(r->since, 20);
    assert_false(state_forget_moved_away(state, &b));
    assert_true(state_forget_moved_away(state, &a));
    assert_int_equal(state_n(state_moved_away(state)), 0);
}

static void test_moved_away_is_bounded(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    InAddr first = address(1), second = address(2);

    assert_int_equal(state_new(&state), 0);
    for (unsigned i = 0; i <= STATE_MOVED_AWAY_MAX; i++) {
        InAddr a = address(1 + i);
        Registration *r;

        assert_int_equal(state_add(state, &a, "eni-1", &r), 0);
        assert_int_equal(state_note_moved_away(state, r, i), 0);
    }
    assert_int_equal(state_n(state_moved_away(state)), STATE_MOVED_AWAY_MAX);
    assert_null(state_find(state_moved_away(state), &first));
    assert_non_null(state_find(state_moved_away(state), &second));
}

static void test_names(void **unused _unused_)
{
    RegistrationState state;

    for (unsigned i = 0; i < _REGISTRATION_STATE_MAX; i++) {
        assert_int_equal(
            registration_state_from_string(registration_state_to_string((RegistrationState)i), &state), 0);
        assert_int_equal(state, i);
    }
    assert_int_equal(registration_state_from_string("", &state), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_moved_away),
        cmocka_unit_test(test_moved_away_is_bounded),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
