/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The memory helpers: who owns what after them.
 */

#include "lib/test.h"
#include "util/macro.h"

static void test_replace_string(void **state)
{
    _cleanup_(freep) char *field = NULL;

    (void)state;
    assert_int_equal(replace_string(&field, "a"), 0);
    assert_string_equal(field, "a");
    assert_int_equal(replace_string(&field, field), 0); /* its own value: copied before it is freed */
    assert_string_equal(field, "a");
    assert_int_equal(replace_string(&field, NULL), 0);
    assert_null(field);
}

static void test_take(void **state)
{
    _cleanup_(freep) char *from = strdup("x"), *to = NULL;
    int fd = 7, taken;

    (void)state;
    to = TAKE_PTR(from);
    assert_null(from);
    assert_string_equal(to, "x");
    taken = TAKE_FD(fd);
    assert_int_equal(taken, 7);
    assert_int_equal(fd, -1);
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(streq_ptr(NULL, NULL));
    assert_false(streq_ptr("a", NULL));
    assert_false(streq_ptr(NULL, "a"));
    assert_true(streq_ptr("a", "a"));
    assert_int_equal(MIN(-1, 2), -1);
    assert_int_equal(MAX(-1, 2), 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_string),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
