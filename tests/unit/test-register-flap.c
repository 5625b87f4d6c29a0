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

/* How many of so many addresses are known to be fought for, when each is taken in its turn. */
static unsigned fight(Flap *flap, unsigned n_addresses, usec_t *now)
{
    unsigned n_episodes = 0;

    for (unsigned turn = 0; turn < 5; turn++, *now += 10 * SECOND)
        for (unsigned i = 0; i < n_addresses; i++) {
            InAddr a = address(i);
            bool episode = false;
            usec_t pause;

            flap_lost(flap, &a, *now);
            pause = flap_fetch(flap, &a, *now, &episode);
            n_episodes += episode;
            assert_true(pause == 0 || turn >= 2);
        }
    return n_episodes;
}

/* All addresses that a node can have: 15 interfaces, each with 50 of IPv4 and as many of IPv6. */
static void test_in_turns(void **unused _unused_)
{
    static const unsigned n_addresses[] = {1, 64, 65, 750, 1500};

    for (size_t i = 0; i < ARRAY_SIZE(n_addresses); i++) {
        usec_t now = START;
        Flap flap = {0};

        assert_int_equal(fight(&flap, n_addresses[i], &now), n_addresses[i]);
    }
}

/* Even then some fights are slowed down, and once there is peace others have their place. */
static void test_too_many(void **unused _unused_)
{
    InAddr late = address(FLAP_ENTRIES);
    usec_t now = START;
    Flap flap = {0};
    bool episode = false;

    assert_int_equal(fight(&flap, 2 * FLAP_ENTRIES, &now), FLAP_ENTRIES);
    flap_lost(&flap, &late, now);
    assert_false(flap_is_lost(&flap, &late, now));
    assert_false(flap_reclaim(&flap, &late, now));
    assert_false(flap_reclaim(&flap, &late, now));
    assert_int_equal(flap_fetch(&flap, &late, now, &episode), 0);

    now += FLAP_WINDOW;
    flap_lost(&flap, &late, now);
    assert_true(flap_is_lost(&flap, &late, now));
    assert_int_equal(fight(&flap, FLAP_ENTRIES - 1, &now), FLAP_ENTRIES - 1);
}

/* What is too old takes no place. */
static void test_small(void **unused _unused_)
{
    Flap flap = {0};

    for (unsigned i = 0; i < 20; i++) {
        InAddr a = address(i);

        flap_lost(&flap, &a, START + i * 6 * SECOND);
    }
    assert_int_equal(flap.n_entries, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses),   cmocka_unit_test(test_slow),  cmocka_unit_test(test_lost),
        cmocka_unit_test(test_reclaim),  cmocka_unit_test(test_full),  cmocka_unit_test(test_in_turns),
        cmocka_unit_test(test_too_many), cmocka_unit_test(test_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
