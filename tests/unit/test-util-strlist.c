/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lists of strings.
 */

#include "lib/test.h"
#include "util/strlist.h"

static void test_split_and_join(void **state)
{
    static const struct {
        const char *text, *joined;
        size_t n;
    } rows[] = {
        {"", "", 0}, {" ,, \t", "", 0}, {"a", "a", 1}, {"a,b", "a|b", 2}, {" a , b\nc\r\n,", "a|b|c", 3},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_strlist_ StrList list = STRLIST_NULL;
        _cleanup_(freep) char *joined = NULL;

        assert_int_equal(strlist_split(rows[i].text, &list), 0);
        joined = strlist_join(&list, "|");
        assert_string_equal(joined, rows[i].joined);
        assert_int_equal(list.n, rows[i].n);
    }
}

static void test_compare(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal, equal_set;
    } rows[] = {
        {"", "", true, true},       {"a b", "a b", true, true}, {"a b", "b a", false, true},
        {"a", "a b", false, false}, {"a b", "a", false, false}, {"a a", "a", false, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_strlist_ StrList a = STRLIST_NULL, b = STRLIST_NULL;

        assert_int_equal(strlist_split(rows[i].a, &a), 0);
        assert_int_equal(strlist_split(rows[i].b, &b), 0);
        assert_int_equal(strlist_equal(&a, &b), rows[i].equal);
        assert_int_equal(strlist_equal_set(&a, &b), rows[i].equal_set);
    }
}

static void test_copy(void **state)
{
    _cleanup_strlist_ StrList list = STRLIST_NULL, copy = STRLIST_NULL;

    (void)state;
    assert_int_equal(strlist_append(&list, "x"), 0);
    assert_int_equal(strlist_append_n(&list, "yes", 1), 0);
    assert_int_equal(strlist_copy(&list, &copy), 0);
    strlist_done(&list);
    assert_int_equal(list.n, 0);
    assert_int_equal(copy.n, 2);
    assert_true(strlist_contains(&copy, "y"));
    assert_false(strlist_contains(&copy, "yes"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_and_join),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
