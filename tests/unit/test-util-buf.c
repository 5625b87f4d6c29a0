/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The growing byte string: always terminated, nothing lost when it grows, handed over whole.
 */

#include "lib/test.h"
#include "util/buf.h"

static void test_append(void **state)
{
    _cleanup_buf_ Buf buf = BUF_NULL;

    (void)state;
    assert_int_equal(buf_puts(&buf, "a"), 0);
    assert_int_equal(buf_putc(&buf, 'b'), 0);
    assert_int_equal(buf_append(&buf, "\0c", 2), 0);
    assert_int_equal(buf_printf(&buf, "%d%s", 42, "!"), 0);
    assert_int_equal(buf.n, 7);
    assert_memory_equal(buf.data, "ab\0c42!", 8);
}

static void test_growth(void **state)
{
    _cleanup_buf_ Buf buf = BUF_NULL;

    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(buf_printf(&buf, "%04u", i), 0);
    assert_int_equal(buf.n, 40000);
    assert_int_equal(strlen(buf.data), 40000);
    assert_memory_equal(buf.data + (size_t)4 * 9999, "9999", 5);
}

static void test_empty(void **state)
{
    _cleanup_buf_ Buf buf = BUF_NULL;
    _cleanup_(freep) char *nothing = NULL, *text = NULL;

    (void)state;
    buf_reset(&buf);
    assert_null(buf.data);
    nothing = buf_take(&buf);
    assert_string_equal(nothing, "");

    assert_int_equal(buf_puts(&buf, "text"), 0);
    text = buf_take(&buf);
    assert_string_equal(text, "text");
    assert_int_equal(buf.n, 0);
    assert_null(buf.data);

    assert_int_equal(buf_puts(&buf, "more"), 0);
    buf_reset(&buf);
    assert_string_equal(buf.data, "");
}

static void test_too_much(void **state)
{
    _cleanup_buf_ Buf buf = BUF_NULL;

    (void)state;
    assert_int_equal(buf_puts(&buf, "kept"), 0);
    assert_true(buf_append(&buf, "", SIZE_MAX / 2) < 0);
    assert_string_equal(buf.data, "kept");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
