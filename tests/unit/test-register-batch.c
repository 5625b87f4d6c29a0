/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which registrations the next call takes, as a table: each row is a state of one interface, a letter a
 * registration, and what comes of it.
 */

#include "lib/test.h"
#include "register/batch.h"
#include <limits.h>
#include <stdio.h>

#define NOW      ((usec_t)1000 * USEC_PER_SEC)
#define COOLDOWN (30 * USEC_PER_SEC)
#define GRACE    (600 * USEC_PER_SEC)

static const BatchRules rules_free = {COOLDOWN, GRACE, UINT_MAX, UINT_MAX};

/*
 * w wanted, not assigned    r released, cooling down   s stale, in its grace    l to be looked at
 * W the same of IPv6        R released, due            S stale, due             c IPv6 conflict
 * a wanted and assigned     f wanted, in flight        x suspect 1, y suspect 2 p wanted, paused
 * o on another interface    v released, IPv6, due
 */
static void add(State *state, char letter, unsigned i)
{
    char text[32];
    InAddr address;
    Registration *r;

    (void)snprintf(text, sizeof(text), strchr("Wcv", letter) ? "2001:db8::%u" : "10.0.0.%u", 10 + i);
    assert_int_equal(in_addr_parse(text, &address), 0);
    assert_int_equal(state_add(state, &address, letter == 'o' ? "eni-2" : "eni-1", &r), 0);
    r->since = NOW - i - 1;
    if (strchr("rRvsS", letter)) {
        r->state = strchr("sS", letter) ? REGISTRATION_STALE : REGISTRATION_RELEASED;
        r->assigned = true;
        r->since = letter == 'r' || letter == 's' ? NOW - 10 * USEC_PER_SEC : NOW - GRACE;
    }
    r->assigned = r->assigned || letter == 'a';
    r->in_flight = letter == 'f';
    if (letter == 'l')
        r->doubt = REGISTRATION_DOUBT_UNTOLD;
    if (letter == 'c')
        r->doubt = REGISTRATION_DOUBT_CONFLICT;
    if (letter == 'x' || letter == 'y')
        r->suspect = letter == 'x' ? 1 : 2;
    if (letter == 'p')
        r->not_before = NOW + 5 * USEC_PER_SEC;
}

static const char *add_all(State *state, const char *letters)
{
    for (unsigned i = 0; letters[i]; i++)
        add(state, letters[i], i);
    return letters;
}

/* The letter of a registration, by its address. */
static char letter_of(const Registration *r, const char *letters)
{
    unsigned last = r->address.family == AF_INET ? r->address.bytes[3] : r->address.bytes[15];

    /* "2001:db8::10" is hexadecimal. */
    return letters[r->address.family == AF_INET ? last - 10 : last - 0x10];
}

static void test_next(void **unused _unused_)
{
    static const struct {
        const char *letters;
        BatchAction action;
        const char *taken; /* in order of address */
        unsigned room;     /* one more than there is; 0: unknown */
    } rows[] = {
        {"", BATCH_NONE, "", 0},
        {"aaf", BATCH_NONE, "", 0},
        {"o", BATCH_NONE, "", 0},
        {"rs", BATCH_NONE, "", 0},
        {"waw", BATCH_ASSIGN, "ww", 0},
        {"wfo", BATCH_ASSIGN, "w", 0},
        {"wR", BATCH_ASSIGN, "w", 0},
        {"RSrs", BATCH_UNASSIGN, "RS", 0},
        {"Rv", BATCH_UNASSIGN, "R", 0},
        {"v", BATCH_UNASSIGN, "v", 0},
        /* the family that has waited longer: a later letter is older */
        {"wW", BATCH_ASSIGN, "W", 0},
        {"Ww", BATCH_ASSIGN, "w", 0},
        {"wl", BATCH_LOOK, "l", 0},
        {"wc", BATCH_ASSIGN, "w", 0},
        {"cR", BATCH_MOVE, "c", 0},
        /* the suspects first, each half alone */
        {"wxxyy", BATCH_ASSIGN, "xx", 0},
        {"wyy", BATCH_ASSIGN, "yy", 0},
        {"pw", BATCH_ASSIGN, "w", 0},
        {"p", BATCH_NONE, "", 0},
        /* making room: no more than needed */
        {"wrr", BATCH_UNASSIGN, "r", 1},
        {"wwrr", BATCH_UNASSIGN, "r", 2},
        {"wwwrrr", BATCH_UNASSIGN, "rr", 2},
        {"wr", BATCH_ASSIGN, "w", 2},
        {"ws", BATCH_UNASSIGN, "s", 1},      /* nobody has claimed it since the host started */
        {"wwwsrs", BATCH_UNASSIGN, "rs", 2}, /* released ones first */
        {"cv", BATCH_UNASSIGN, "v", 1},      /* for what another interface has, too */
        {"ccvv", BATCH_UNASSIGN, "v", 2},
        {"ccv", BATCH_MOVE, "cc", 3},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(state_freep) State *state = NULL;
        _cleanup_batch_ Batch batch = BATCH_NULL;
        BatchRules rules = rules_free;
        char taken[16] = "";
        usec_t due;

        assert_int_equal(state_new(&state), 0);
        (void)add_all(state, rows[i].letters);
        if (rows[i].room > 0)
            rules.ipv4_room = rules.ipv6_room = rows[i].room - 1;
        assert_int_equal(batch_next(state, "eni-1", &rules, NOW, &batch, &due), 0);
        for (size_t j = 0; j < batch.n; j++)
            taken[j] = letter_of(batch.registrations[j], rows[i].letters);
        if (batch.action != rows[i].action || !streq(taken, rows[i].taken))
            fail_msg("\"%s\": action %d of \"%s\"", rows[i].letters, batch.action, taken);
    }
}

static void test_due(void **unused _unused_)
{
    static const struct {
        const char *letters;
        usec_t due;
    } rows[] = {
        {"", USEC_INFINITY},
        {"aof", USEC_INFINITY},
        {"p", NOW + 5 * USEC_PER_SEC},
        {"s", NOW + 590 * USEC_PER_SEC + COOLDOWN / 8},
        {"r", NOW + 20 * USEC_PER_SEC + COOLDOWN / 8},
        {"rsp", NOW + 5 * USEC_PER_SEC},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(state_freep) State *state = NULL;
        _cleanup_batch_ Batch batch = BATCH_NULL;
        usec_t due;

        assert_int_equal(state_new(&state), 0);
        (void)add_all(state, rows[i].letters);
        assert_int_equal(batch_next(state, "eni-1", &rules_free, NOW, &batch, &due), 0);
        assert_int_equal(batch.action, BATCH_NONE);
        assert_int_equal(due, rows[i].due);
    }
}

/* When what was due at first is due, all of it is: no call and no wake-up for each. */
static void test_lazy(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    _cleanup_batch_ Batch batch = BATCH_NULL, later = BATCH_NULL;
    usec_t due;

    assert_int_equal(state_new(&state), 0);
    (void)add_all(state, "rrr");
    state_get(state, 1)->since += COOLDOWN / 16;
    state_get(state, 2)->since += COOLDOWN / 2;
    assert_int_equal(batch_next(state, "eni-1", &rules_free, NOW, &batch, &due), 0);
    assert_int_equal(batch_next(state, "eni-1", &rules_free, due, &later, &due), 0);
    assert_int_equal(later.n, 2);
}

static void test_culprits(void **unused _unused_)
{
    static const struct {
        const char *message;
        const char *named; /* of 10.0.0.10, 10.0.0.11, 2001:db8::12 */
    } rows[] = {
        {"", "..."},
        {"secondary-addresses", "..."},
        {"[10.0.0.10] assigned, but move is not allowed.", "x.."},
        {"[10.0.0.10, 10.0.0.11] assigned, but move is not allowed.", "xx."},
        {"10.0.0.1 10.0.0.110 110.0.0.11 10.0.0.11.5", "..."},
        {"The address is 10.0.0.11.", ".x."},
        {"Address 2001:db8::12 is in use.", "..x"},
        {"Address 2001:0DB8:0:0:0:0:0:12: in use", "..x"},
        {"10.0.0.10 and 10.0.0.10", "x.."},
        {"10.0.0.10", "x.."},
        {"subnet 10.0.0.0/24", "..."},
        {"0000000000000000000000000000000000000000000000000000000000000000000000", "..."},
        {"...:::...", "..."},
    };
    _cleanup_(state_freep) State *state = NULL;
    Registration *registrations[3];
    Batch batch = {.registrations = registrations, .n = 3};
    bool named[3];

    assert_int_equal(state_new(&state), 0);
    (void)add_all(state, "wwW");
    for (size_t i = 0; i < 3; i++)
        registrations[i] = state_get(state, i);

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t n = batch_culprits(&batch, rows[i].message, named), expected = 0;

        for (size_t j = 0; j < 3; j++) {
            assert_int_equal(named[j], rows[i].named[j] == 'x');
            expected += rows[i].named[j] == 'x';
        }
        assert_int_equal(n, expected);
    }
}

static void test_halve(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    _cleanup_batch_ Batch batch = BATCH_NULL, half = BATCH_NULL;
    unsigned next = 1;
    usec_t due;

    assert_int_equal(state_new(&state), 0);
    (void)add_all(state, "wwwww");
    assert_int_equal(batch_next(state, "eni-1", &rules_free, NOW, &batch, &due), 0);
    batch_halve(&batch, &next);
    assert_int_equal(next, 3);
    assert_int_equal(batch_next(state, "eni-1", &rules_free, NOW, &half, &due), 0);
    assert_int_equal(half.n, 2);
}

/* What yields goes by itself, and does not wait for ever for what comes later. */
static void test_yielding(void **unused _unused_)
{
    for (unsigned first = 0; first < 2; first++) {
        _cleanup_(state_freep) State *state = NULL;
        _cleanup_batch_ Batch batch = BATCH_NULL;
        usec_t due;

        assert_int_equal(state_new(&state), 0);
        (void)add_all(state, "ww");
        state_get(state, 0)->yields = true;
        state_get(state, first)->since -= 100;
        assert_int_equal(batch_next(state, "eni-1", &rules_free, NOW, &batch, &due), 0);
        assert_int_equal(batch.action, BATCH_ASSIGN);
        assert_int_equal(batch.n, 1);
        assert_int_equal(batch.yields, first == 0);
        assert_ptr_equal(batch.registrations[0], state_get(state, first));
    }
}

/* Halves of a refused call of which some may be taken from others by now, and some are put off. */
static void test_suspects_put_off(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL;
    _cleanup_batch_ Batch batch = BATCH_NULL;
    usec_t due;

    assert_int_equal(state_new(&state), 0);
    (void)add_all(state, "xx");
    state_get(state, 0)->yields = true;
    state_get(state, 0)->not_before = NOW + 1;
    assert_int_equal(batch_next(state, "eni-1", &rules_free, NOW, &batch, &due), 0);
    assert_int_equal(batch.action, BATCH_ASSIGN);
    assert_int_equal(batch.n, 1);
    assert_false(batch.yields);
    assert_ptr_equal(batch.registrations[0], state_get(state, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_culprits),
        cmocka_unit_test(test_halve),
        cmocka_unit_test(test_yielding),
        cmocka_unit_test(test_suspects_put_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
