/* SPDX-License-Identifier: Apache-2.0 */

/* When EC2's word is repeated, and how often it is asked for a new one. */

#include "lib/test.h"
#include "register/trust.h"

#define START (1000 * USEC_PER_SEC)
#define MS    USEC_PER_MSEC

static void test_after_a_pause(void **unused _unused_)
{
    static const struct {
        usec_t confirmed, asked; /* before now; 0: never */
        bool holds;
    } rows[] = {
        {0, 0, false},
        {1, 0, true},
        {TRUST_REPEAT - 1, 0, true},
        {TRUST_REPEAT, 0, false},
        {TRUST_REPEAT, TRUST_REPEAT, false},
        {TRUST_MAX - 1, TRUST_REPEAT - 1, true},
        {TRUST_MAX - 1, TRUST_REPEAT, false},
        {TRUST_MAX, 1, false},
    };
    const Trust trust = {0};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(trust_holds(&trust, rows[i].confirmed ? START - rows[i].confirmed : 0,
                                     rows[i].asked ? START - rows[i].asked : 0, START),
                         rows[i].holds);
}

static void test_renewed(void **unused _unused_)
{
    Trust trust = {0};

    assert_false(trust_ages(&trust, START - TRUST_REFRESH + 1, START));
    assert_true(trust_ages(&trust, START - TRUST_REFRESH, START));
    for (unsigned i = 0; i < TRUST_LOOKS; i++)
        trust_looked(&trust, START);
    assert_false(trust_ages(&trust, START - TRUST_REFRESH, START));
}

/* Asked for without pause, an interface is looked at in time, for ever. */
static void test_without_pause(void **unused _unused_)
{
    usec_t confirmed = START, now = START;
    Trust trust = {0};

    for (unsigned i = 0; i < 100000; i++) {
        usec_t asked = now;

        now += 10 * MS;
        assert_true(trust_holds(&trust, confirmed, asked, now));
        if (trust_ages(&trust, confirmed, now)) {
            trust_looked(&trust, now);
            confirmed = now;
        }
    }
}

/* Asked for all the time, with pauses: looks at first, and a few after that; no word is older than it may be.
 */
static void test_bounded(void **unused _unused_)
{
    usec_t confirmed = START, now = START;
    unsigned n = 0, n_first = 0;
    Trust trust = {0};

    for (unsigned i = 0; i < 3000; i++) {
        now += 2 * TRUST_REPEAT;
        if (!trust_holds(&trust, confirmed, 0, now)) {
            trust_looked(&trust, now);
            confirmed = now;
            n++;
        }
        if (now == START + 2 * USEC_PER_SEC)
            n_first = n;
        assert_true(now - confirmed < TRUST_MAX);
    }
    assert_int_equal(n_first, TRUST_LOOKS);
    assert_in_range(n, (now - START) / TRUST_EVERY, TRUST_LOOKS + (now - START) / TRUST_EVERY);

    /* Earned again in peace. */
    now += TRUST_LOOKS * TRUST_EVERY;
    for (unsigned i = 0; i < TRUST_LOOKS; i++) {
        assert_true(trust_may_look(&trust, now));
        trust_looked(&trust, now);
    }
    assert_false(trust_may_look(&trust, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_a_pause),
        cmocka_unit_test(test_renewed),
        cmocka_unit_test(test_without_pause),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
