/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Texts of times: what people write in configuration files and what AWS writes in replies.
 */

#include "lib/test.h"
#include "util/macro.h"
#include "util/time.h"
#include <errno.h>

static void test_duration(void **state)
{
    static const struct {
        const char *text;
        int r;
        usec_t usec;
    } rows[] = {
        {"90", 0, 90 * USEC_PER_SEC},
        {"150s", 0, 150 * USEC_PER_SEC},
        {"250ms", 0, 250 * USEC_PER_MSEC},
        {"5min", 0, 5 * USEC_PER_MINUTE},
        {"1min 30s", 0, 90 * USEC_PER_SEC},
        {" 2 h ", 0, 2 * USEC_PER_HOUR},
        {"0", 0, 0},
        {"", -EINVAL, 0},
        {"s", -EINVAL, 0},
        {"10 parsecs", -EINVAL, 0},
        {"-1s", -EINVAL, 0},
        {"1.5s", -EINVAL, 0},
        {"99999999999999999999s", -ERANGE, 0},
        {"999999999999999999d", -ERANGE, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        usec_t usec = 0;

        assert_int_equal(time_parse_duration(rows[i].text, &usec), rows[i].r);
        assert_int_equal(usec, rows[i].usec);
    }
}

static void test_iso8601(void **state)
{
    char text[TIME_ISO8601_MAX];
    usec_t usec = 0;

    (void)state;
    assert_int_equal(time_parse_iso8601("2026-11-21T10:55:00Z", &usec), 0);
    assert_int_equal(usec, 1795258500 * USEC_PER_SEC);
    assert_int_equal(time_parse_iso8601("2026-11-21T10:55:00.25Z", &usec), 0);
    assert_string_equal(time_format_iso8601(usec, text), "2026-11-21T10:55:00.250Z");
    assert_string_equal(time_format_iso8601(0, text), "1970-01-01T00:00:00.000Z");
    assert_string_equal(time_format_iso8601(1709251199999999, text), "2024-02-29T23:59:59.999Z");
    assert_int_equal(strlen(time_format_iso8601(USEC_INFINITY, text)), TIME_ISO8601_MAX - 4);
    assert_int_equal(time_parse_iso8601("2026-11-21 10:55", &usec), -EINVAL);
    assert_int_equal(time_parse_iso8601("2026-11-21T10:55:00+01:00", &usec), -EINVAL);
}

static void test_add_saturates(void **state)
{
    (void)state;
    assert_int_equal(time_add(1, 2), 3);
    assert_int_equal(time_add(USEC_INFINITY - 1, 2), USEC_INFINITY);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_iso8601),
        cmocka_unit_test(test_add_saturates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
