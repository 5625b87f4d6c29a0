/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lists of pairs: order kept, duplicates allowed by append and replaced by set.
 */

#include "lib/test.h"
#include "util/keyvalue.h"

static void test_set_and_append(void **state)
{
    _cleanup_keyvalue_list_ KeyValueList list = KEYVALUE_LIST_NULL;

    (void)state;
    assert_null(keyvalue_list_get(&list, "a"));
    assert_int_equal(keyvalue_list_append(&list, "a", "1"), 0);
    assert_int_equal(keyvalue_list_set(&list, "b", "2"), 0);
    assert_int_equal(keyvalue_list_append(&list, "a", "3"), 0);
    assert_int_equal(list.n, 3);
    assert_string_equal(keyvalue_list_get(&list, "a"), "1");
    assert_int_equal(keyvalue_list_set(&list, "a", "4"), 0);
    assert_int_equal(list.n, 3);
    assert_string_equal(keyvalue_list_get(&list, "a"), "4");
    assert_string_equal(list.items[2].value, "3");
    assert_string_equal(list.items[1].key, "b");
}

static void test_copy(void **state)
{
    _cleanup_keyvalue_list_ KeyValueList list = KEYVALUE_LIST_NULL, copy = KEYVALUE_LIST_NULL;

    (void)state;
    assert_int_equal(keyvalue_list_append(&list, "a", "1"), 0);
    assert_int_equal(keyvalue_list_copy(&list, &copy), 0);
    keyvalue_list_done(&list);
    assert_int_equal(list.n, 0);
    assert_string_equal(keyvalue_list_get(&copy, "a"), "1");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_append),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
