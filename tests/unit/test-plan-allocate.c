/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The lowest free address: what AWS keeps for itself, what is reserved, what is taken.
 */

#include "lib/test.h"
#include "plan/allocate.h"
#include <errno.h>

#define LIST_MAX 8

static size_t parse_addresses(const char *const *texts, InAddr *ret)
{
    size_t n = 0;

    for (; n < LIST_MAX && texts[n]; n++)
        assert_int_equal(in_addr_parse(texts[n], &ret[n]), 0);
    return n;
}

static void test_next(void **state)
{
    static const struct {
        const char *cidr;
        const char *explicit_reservation;
        const char *prefix_reservation;
        const char *delegated;
        const char *taken[LIST_MAX];
        const char *after;
        const char *expected; /* NULL: none left */
    } rows[] = {
        {.cidr = "10.0.0.0/24", .expected = "10.0.0.4"},
        {.cidr = "10.0.0.77/24", .expected = "10.0.0.4"},
        {.cidr = "10.0.0.0/24", .taken = {"10.0.0.4", "10.0.0.5", "10.0.0.7"}, .expected = "10.0.0.6"},
        {.cidr = "10.0.0.0/24", .after = "10.0.0.9", .expected = "10.0.0.10"},
        {.cidr = "10.0.0.0/24", .after = "10.0.0.1", .expected = "10.0.0.4"},
        {.cidr = "10.0.0.0/24", .after = "10.0.0.9", .taken = {"10.0.0.10"}, .expected = "10.0.0.11"},
        {.cidr = "10.0.0.0/24", .explicit_reservation = "10.0.0.0/28", .expected = "10.0.0.16"},
        {.cidr = "10.0.0.0/24", .prefix_reservation = "10.0.0.0/28", .expected = "10.0.0.4"},
        {.cidr = "10.0.0.0/24",
         .explicit_reservation = "10.0.0.8/29",
         .taken = {"10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.16"},
         .expected = "10.0.0.17"},
        {.cidr = "10.0.0.0/24", .explicit_reservation = "10.0.0.0/16"},
        {.cidr = "10.0.0.0/24", .after = "10.0.0.253", .expected = "10.0.0.254"},
        {.cidr = "10.0.0.0/24", .after = "10.0.0.254"},
        {.cidr = "10.0.0.0/28", .explicit_reservation = "10.0.0.8/29", .after = "10.0.0.7"},
        {.cidr = "255.255.255.240/28", .after = "255.255.255.255"},
        {.cidr = "255.255.255.240/28", .explicit_reservation = "255.255.255.240/28"},
        {.cidr = "10.0.0.0/30"},
        {.cidr = "2001:db8::/64", .expected = "2001:db8::4"},
        {.cidr = "2001:db8::/64", .taken = {"2001:db8::4"}, .expected = "2001:db8::5"},
        {.cidr = "2001:db8::/64", .explicit_reservation = "2001:db8::/65", .expected = "2001:db8:0:0:8000::"},
        {.cidr = "2001:db8::/64", .after = "2001:db8::ffff:ffff:ffff:fffe"},
        {.cidr = "2001:db8::/64",
         .after = "2001:db8::ffff:ffff:ffff:fffd",
         .expected = "2001:db8::ffff:ffff:ffff:fffe"},
        {.cidr = "2001:db8::/64", .explicit_reservation = "10.0.0.0/8", .expected = "2001:db8::4"},
        {.cidr = "10.0.0.0/24", .delegated = "10.0.0.0/28", .expected = "10.0.0.16"},
        {.cidr = "10.0.0.0/24", .delegated = "10.0.0.16/28", .after = "10.0.0.15", .expected = "10.0.0.32"},
        {.cidr = "10.0.0.0/27",
         .prefix_reservation = "10.0.0.0/28",
         .explicit_reservation = "10.0.0.16/28",
         .delegated = "10.0.0.0/28"},
        {.cidr = "2001:db8::/64", .delegated = "2001:db8::/80", .expected = "2001:db8:0:0:1::"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        InAddr taken[LIST_MAX], after = IN_ADDR_NULL, result = IN_ADDR_NULL;
        Ec2SubnetCidrReservation reservations[2] = {{.is_explicit = true}};
        InPrefix delegated;
        AddressPool pool = {
            .reservations = reservations, .n_reservations = 2, .delegated = &delegated, .taken = taken};
        char text[IN_ADDR_TEXT];
        int r;

        assert_int_equal(in_prefix_parse(rows[i].cidr, &pool.cidr), 0);
        pool.n_taken = parse_addresses(rows[i].taken, taken);
        if (rows[i].explicit_reservation)
            assert_int_equal(in_prefix_parse(rows[i].explicit_reservation, &reservations[0].cidr), 0);
        if (rows[i].prefix_reservation)
            assert_int_equal(in_prefix_parse(rows[i].prefix_reservation, &reservations[1].cidr), 0);
        if (rows[i].delegated)
            assert_int_equal(in_prefix_parse(rows[i].delegated, &delegated), 0);
        pool.n_delegated = rows[i].delegated != NULL;
        if (rows[i].after)
            assert_int_equal(in_addr_parse(rows[i].after, &after), 0);

        r = address_pool_next(&pool, rows[i].after ? &after : NULL, &result);
        (void)in_addr_format(&result, text);
        if (r != (rows[i].expected ? 0 : -ENOSPC) || !streq(text, rows[i].expected ? rows[i].expected : ""))
            fail_msg("row %zu: %d, %s", i, r, text);
    }
}

/* Whatever is handed out can be handed out only once, and all that AWS leaves of a subnet is. */
static void test_exhaust(void **state)
{
    InAddr taken[256], next;
    AddressPool pool = {.taken = taken};

    (void)state;
    assert_int_equal(in_prefix_parse("10.1.0.0/24", &pool.cidr), 0);
    while (address_pool_next(&pool, NULL, &next) == 0) {
        assert_in_range(pool.n_taken, 0, 250);
        assert_true(in_prefix_contains(&pool.cidr, &next));
        taken[pool.n_taken++] = next;
    }
    assert_int_equal(pool.n_taken, 251);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_exhaust),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
