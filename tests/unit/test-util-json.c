/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON text without a tree: what is put together by hand is what jansson writes, and reads back.
 */

#include "lib/test.h"
#include "util/json.h"

static void check(const char *s)
{
    _cleanup_buf_ Buf buf = BUF_NULL;
    _cleanup_json_ json_t *string = json_string(s), *again = NULL;
    _cleanup_(freep) char *text = json_dumps(string, JSON_ENCODE_ANY);

    assert_int_equal(json_put_string(&buf, s), 0);
    assert_string_equal(buf.data, text);
    again = json_loadb(buf.data, buf.n, JSON_DECODE_ANY, NULL);
    assert_non_null(again);
    assert_string_equal(json_string_value(again), s);
}

static void test_every_character(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 0x80; c++) {
        const char alone[] = {(char)c, '\0'}, between[] = {'a', (char)c, (char)c, 'z', '\0'};

        check(alone);
        check(between);
    }
}

static void test_strings(void **state)
{
    static const char *const strings[] = {
        "", "pod", "default/upf-0", "\"", "\\", "a\\\"b\n", "grün €", "\xf0\x9f\x98\x80", "tail\"", "\"head",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
        check(strings[i]);
}

static void test_appends(void **state)
{
    _cleanup_buf_ Buf buf = BUF_NULL;

    (void)state;
    assert_int_equal(buf_puts(&buf, "["), 0);
    assert_int_equal(json_put_string(&buf, "a"), 0);
    assert_int_equal(buf_puts(&buf, ","), 0);
    assert_int_equal(json_put_string(&buf, NULL), 0);
    assert_int_equal(json_put_member(&buf, ",{\"b\":", "c"), 0);
    assert_string_equal(buf.data, "[\"a\",null,{\"b\":\"c\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_appends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
