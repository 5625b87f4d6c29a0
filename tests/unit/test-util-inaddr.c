/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Addresses and prefixes as values: texts, order, arithmetic at the edges.
 */

#include "lib/test.h"
#include "util/inaddr.h"
#include <errno.h>

static InAddr address(const char *text)
{
    InAddr result;

    assert_int_equal(in_addr_parse(text, &result), 0);
    return result;
}

static void test_text(void **state)
{
    static const struct {
        const char *text, *written; /* NULL: refused */
    } rows[] = {
        {"10.0.0.1", "10.0.0.1"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"::", "::"},
        {"10.0.0.256", NULL},
        {"10.0.0", NULL},
        {"", NULL},
        {" ::1", NULL},
        {"1::2::3", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[IN_ADDR_TEXT];
        InAddr result;

        assert_int_equal(in_addr_parse(rows[i].text, &result), rows[i].written ? 0 : -EINVAL);
        if (rows[i].written)
            assert_string_equal(in_addr_format(&result, text), rows[i].written);
    }
}

static void test_none(void **state)
{
    const InAddr none = IN_ADDR_NULL;
    const InPrefix nowhere = IN_PREFIX_NULL;
    char text[IN_ADDR_TEXT], prefix_text[IN_PREFIX_TEXT];

    (void)state;
    assert_string_equal(in_addr_format(&none, text), "");
    assert_string_equal(in_prefix_format(&nowhere, prefix_text), "");
    assert_false(in_addr_is_set(&none));
    assert_false(in_prefix_is_set(&nowhere));
    assert_false(in_prefix_contains(&nowhere, &none));
    assert_int_equal(in_addr_size(AF_UNSPEC), 0);
}

static void test_order(void **state)
{
    static const char *const sorted[] = {"0.0.0.0", "9.255.255.255", "10.0.0.1", "::", "::1", "2001:db8::"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
        for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
            InAddr a = address(sorted[i]), b = address(sorted[j]);
            int r = in_addr_compare(&a, &b);

            assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
            assert_int_equal(in_addr_equal(&a, &b), i == j);
        }
}

static void test_add(void **state)
{
    static const struct {
        const char *from;
        uint64_t n;
        const char *to; /* NULL: out of range */
    } rows[] = {
        {"10.0.0.255", 1, "10.0.1.0"},
        {"10.0.0.0", 65536, "10.1.0.0"},
        {"10.0.0.7", 0, "10.0.0.7"},
        {"255.255.255.255", 1, NULL},
        {"0.0.0.0", UINT64_C(1) << 32, NULL},
        {"2001:db8::ffff:ffff:ffff:ffff", 1, "2001:db8:0:1::"},
        {"::", UINT64_MAX, "::ffff:ffff:ffff:ffff"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        InAddr from = address(rows[i].from), sum;
        char text[IN_ADDR_TEXT];

        assert_int_equal(in_addr_add(&from, rows[i].n, &sum), rows[i].to ? 0 : -ERANGE);
        if (rows[i].to)
            assert_string_equal(in_addr_format(&sum, text), rows[i].to);
    }
}

static void test_prefix(void **state)
{
    static const struct {
        const char *text, *first, *last, *inside, *outside;
    } rows[] = {
        {"10.1.2.3/24", "10.1.2.0", "10.1.2.255", "10.1.2.200", "10.1.3.0"},
        {"10.1.2.3/23", "10.1.2.0", "10.1.3.255", "10.1.3.7", "10.1.4.0"},
        {"10.1.2.3/32", "10.1.2.3", "10.1.2.3", "10.1.2.3", "10.1.2.2"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255", "1.2.3.4", "::1"},
        {"2001:db8::5/61", "2001:db8::", "2001:db8:0:7:ffff:ffff:ffff:ffff",
         "2001:db8:0:7::", "2001:db8:0:8::"},
    };
    static const char *const wrong[] = {"10.0.0.0",
                                        "10.0.0.0/",
                                        "10.0.0.0/33",
                                        "10.0.0.0/-1",
                                        "::/129",
                                        "10.0.0.0/8 ",
                                        "/8",
                                        "10.0.0/8",
                                        "10.0.0.0/+8",
                                        "",
                                        "10.0.0.0/999999999999999999999"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        InAddr inside = address(rows[i].inside), outside = address(rows[i].outside), first, last;
        char text[IN_ADDR_TEXT], prefix_text[IN_PREFIX_TEXT];
        InPrefix prefix;

        assert_int_equal(in_prefix_parse(rows[i].text, &prefix), 0);
        first = in_prefix_first(&prefix);
        last = in_prefix_last(&prefix);
        assert_string_equal(in_prefix_format(&prefix, prefix_text), rows[i].text);
        assert_string_equal(in_addr_format(&first, text), rows[i].first);
        assert_string_equal(in_addr_format(&last, text), rows[i].last);
        assert_true(in_prefix_contains(&prefix, &inside));
        assert_false(in_prefix_contains(&prefix, &outside));
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        InPrefix prefix;

        if (in_prefix_parse(wrong[i], &prefix) != -EINVAL)
            fail_msg("\"%s\" was accepted", wrong[i]);
    }
}

static void test_mac(void **state)
{
    static const char *const wrong[] = {"", "02:00:00:00:00", "02:00:00:00:00:0g", "02:00:00:00:00:001",
                                        "02.00.00.00.00.01"};
    char text[MAC_ADDR_TEXT];
    MacAddr mac = MAC_ADDR_NULL;

    (void)state;
    assert_false(mac_addr_is_set(&mac));
    assert_int_equal(mac_addr_parse("02-AB-cd-00-00-0f", &mac), 0);
    assert_string_equal(mac_addr_format(&mac, text), "02:ab:cd:00:00:0f");
    assert_true(mac_addr_is_set(&mac));
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(mac_addr_parse(wrong[i], &mac), -EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text), cmocka_unit_test(test_none),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_add),  cmocka_unit_test(test_prefix), cmocka_unit_test(test_mac),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
