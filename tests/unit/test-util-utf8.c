/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Text that may be no UTF-8, or was cut to fit.
 */

#include "lib/test.h"
#include "util/utf8.h"
#include <jansson.h>
#include <stdio.h>

static void test_clean(void **state)
{
    static const struct {
        const char *text, *clean;
    } rows[] = {
        {"", ""},
        {"plain \t\n\x7f", "plain \t\n\x7f"},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xff", "?"},
        {"a\x80\xff"
         "b",
         "a??b"},
        {"\xc3x", "?x"},
        {"\xe2\x82x", "??x"},
        {"\xc0\xaf", "??"},           /* overlong */
        {"\xe0\x80\xaf", "???"},      /* overlong */
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
        {"a\xc3", "a"},               /* cut off */
        {"a\xe2\x82", "a"},
        {"a\xf0\x9f\x98", "a"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "%s", rows[i].text);
        utf8_clean(text);
        assert_string_equal(text, rows[i].clean);
        assert_true(utf8_is_clean(text));
    }
}

/* Whatever the bytes, jansson takes the result, and what it takes is not changed. */
static void test_clean_is_what_jansson_takes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x1000000; i += 0x11) {
        char raw[] = {(char)(i >> 16), (char)(i >> 8), (char)i, 'x', '\0'};
        char text[sizeof(raw)];
        json_t *before, *after;

        memcpy(text, raw, sizeof(raw));
        utf8_clean(text);
        before = json_string(raw);
        after = json_string(text);
        assert_non_null(after);
        assert_int_equal(before != NULL, streq(raw, text));
        assert_int_equal(before != NULL, utf8_is_clean(raw));
        json_decref(before);
        json_decref(after);
    }
}

static void test_cut(void **state)
{
    static const struct {
        const char *text;
        size_t max, n;
    } rows[] = {
        {"", 4, 0},
        {"abc", 4, 3},
        {"abcd", 4, 4},
        {"abcde", 4, 4},
        {"abc\xc3\xa9", 4, 3},
        {"ab\xc3\xa9", 4, 4},
        {"ab\xc3\xa9z", 4, 4},
        {"a\xf0\x9f\x98\x80", 4, 1},
        {"\xf0\x9f\x98\x80", 4, 4},
        {"\xf0\x9f\x98\x80", 3, 0},
        {"\x80\x80\x80\x80\x80", 4, 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(utf8_cut(rows[i].text, rows[i].max), rows[i].n);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_clean_is_what_jansson_takes),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
