/* SPDX-License-Identifier: Apache-2.0 */

/* When a refusal is news. */

#include "lib/test.h"
#include "register/told.h"

#define START (1000 * USEC_PER_SEC)

static InAddr address(unsigned i)
{
    return (InAddr){.family = AF_INET, .bytes = {10, 0, (uint8_t)(i / 256), (uint8_t)i}};
}

static void test_said_once(void **unused _unused_)
{
    InAddr a = address(1), b = address(2);
    usec_t now = START;
    Told told = {0};

    assert_false(told_refused(&told, &a, now));
    for (unsigned i = 0; i < 20; i++) {
        now += 10 * USEC_PER_MINUTE;
        assert_true(told_refused(&told, &a, now));
    }
    assert_false(told_refused(&told, &b, now));

    told_forget(&told, &a);
    assert_false(told_refused(&told, &a, now));
    assert_true(told_refused(&told, &b, now));
    assert_false(told_refused(&told, &b, now + TOLD_WINDOW));
}

static void test_bounded(void **unused _unused_)
{
    InAddr first = address(1), last = address(TOLD_ENTRIES + 1);
    Told told = {0};

    for (unsigned i = 1; i <= TOLD_ENTRIES + 1; i++) {
        InAddr a = address(i);

        assert_false(told_refused(&told, &a, START + i));
    }
    assert_true(told_refused(&told, &last, START + 1000));
    assert_false(told_refused(&told, &first, START + 1000)); /* gave way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_said_once),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
