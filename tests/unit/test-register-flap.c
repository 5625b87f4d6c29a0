/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When fetching an address back becomes a fight, how it is slowed down, and when peace is.
 */

#include "lib/test.h"
#include "register/flap.h"

#define SECOND USEC_PER_SEC
#define START  (1000 * SECOND)

static InAddr address(unsigned i)
{
    InAddr result = {.family = AF_INET, .bytes = {10, 0, (uint8_t)(i / 256), (uint8_t)i}};

    return result;
}

static void test_pauses(void **unused _unused_)
{
    static const usec_t pauses[] = {0, 0, 1, 2, 4, 8, 16, 30, 30};
    InAddr a = address(1);
    usec_t now = START;
    Flap flap = {0};
    bool episode;

    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        assert_int_equal(flap_fetch(&flap, &a, now, &episode), pauses[i] * SECOND);
        assert_int_equal(episode, i == 2);
        assert_int_equal(flap_pause(&flap, &a, now), pauses[i] * SECOND);
        now += 10 * SECOND + pauses[i] * SECOND;
        assert_int_equal(flap_pause(&flap, &a, now), 0);
    }
    /* A quiet minute ends it, and the next episode is told again. */
    now += FLAP_WINDOW;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(flap_fetch(&flap, &a, now, &episode), pauses[i] * SECOND);
        assert_int_equal(episode, i == 2);
    }
}

/* Every 31 s is not three times within a minute. */
static void test_slow(void **unused _unused_)
{
    InAddr a = address(1);
    Flap flap = {0};
    bool episode;

    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(flap_fetch(&flap, &a, START + i * 31 * SECOND, &episode), 0);
}

static void test_lost(void **unused _unused_)
{
    InAddr a = address(1), b = address(2);
    Flap flap = {0};
    bool episode;

    assert_false(flap_is_lost(&flap, &a, START));
    flap_lost(&flap, &a, START);
    assert_true(flap_is_lost(&flap, &a, START + 59 * SECOND));
    assert_false(flap_is_lost(&flap, &b, START));
    assert_false(flap_is_lost(&flap, &a, START + 60 * SECOND));
    (void)flap_fetch(&flap, &a, START, &episode);
    assert_false(flap_is_lost(&flap, &a, START));
}

static void test_reclaim(void **unused _unused_)
{
    InAddr a = address(1);
    Flap flap = {0};

    assert_false(flap_reclaim(&flap, &a, START));
    assert_true(flap_reclaim(&flap, &a, START + SECOND));
    assert_false(flap_reclaim(&flap, &a, START + 2 * USEC_PER_MINUTE));
}

/* A fight is remembered among many addresses that come and go. */
static void test_full(void **unused _unused_)
{
    InAddr a = address(1);
    Flap flap = {0};
    bool episode = false;

    for (unsigned i = 0; i < 3; i++) {
        (void)flap_fetch(&flap, &a, START + i, &episode);
        for (unsigned j = 0; j < FLAP_ENTRIES - 1; j++) {
            InAddr other = address(1000 * (i + 1) + j);

            flap_lost(&flap, &other, START + i);
        }
    }
    assert_true(episode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses),  cmocka_unit_test(test_slow), cmocka_unit_test(test_lost),
        cmocka_unit_test(test_reclaim), cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
