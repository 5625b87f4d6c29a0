/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log entries as they leave on stderr, as text and as JSON; the level; the names.
 */

#include "lib/test.h"
#include "util/log.h"
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

/* stderr between begin() and end() goes into a pipe; nothing here writes more than a pipe holds. */
static int stderr_saved = -1, stderr_read = -1;
static char text[2 * LOG_TEXT_MAX];

static void capture_begin(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    stderr_saved = dup(STDERR_FILENO);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    (void)close(fds[1]);
    stderr_read = fds[0];
}

static const char *capture_end(void)
{
    ssize_t n = read(stderr_read, text, sizeof(text) - 1);

    assert_true(dup2(stderr_saved, STDERR_FILENO) >= 0);
    (void)close(stderr_saved);
    (void)close(stderr_read);
    text[MAX(n, 0)] = '\0';
    return text;
}

static void test_text(void **state)
{
    (void)state;
    log_open(LOG_TARGET_STDERR);
    capture_begin();
    log_debug("not shown at level info");
    log_info("shown %d", 1);
    errno = EBUSY;
    log_error_errno(-ENOENT, "cannot: %m");
    assert_int_equal(errno, EBUSY);
    assert_string_equal(capture_end(), "shown 1\nerr: cannot: No such file or directory\n");
}

static void test_level(void **state)
{
    (void)state;
    log_set_max_level(LOG_WARNING);
    capture_begin();
    log_notice("hidden");
    log_warning("seen");
    assert_string_equal(capture_end(), "warning: seen\n");
    assert_int_equal(log_get_max_level(), LOG_WARNING);
    log_set_max_level(LOG_INFO);
}

static void test_json(void **state)
{
    static const LogField fields[] = {{"ENI_ID", "eni-1"}, {"INTERFACE", NULL}};
    json_t *object;

    (void)state;
    log_open(LOG_TARGET_JSON);
    capture_begin();
    log_full(LOG_NOTICE, ENODEV, "0123", fields, ARRAY_SIZE(fields), "a \"quoted\"\nline");
    object = json_loads(capture_end(), 0, NULL);
    log_open(LOG_TARGET_STDERR);

    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "MESSAGE")), "a \"quoted\"\nline");
    assert_string_equal(json_string_value(json_object_get(object, "MESSAGE_ID")), "0123");
    assert_string_equal(json_string_value(json_object_get(object, "PRIORITY")), "5");
    assert_string_equal(json_string_value(json_object_get(object, "ENI_ID")), "eni-1");
    assert_int_equal(atoi(json_string_value(json_object_get(object, "ERRNO"))), ENODEV);
    assert_null(json_object_get(object, "INTERFACE"));
    assert_true(json_is_integer(json_object_get(object, "MONOTONIC_USEC")));
    json_decref(object);
}

/* Every field is there, also when it is not UTF-8; a text is cut, not dropped. */
static void test_json_not_utf8(void **state)
{
    static const LogField fields[] = {{"NETWORK", "a\xff\xc3"}};
    char umlauts[LOG_TEXT_MAX + 2];
    json_t *object;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(umlauts); i += 2)
        memcpy(&umlauts[i], "\xc3\xa9", 3);
    log_open(LOG_TARGET_JSON);
    capture_begin();
    log_full(LOG_NOTICE, 0, NULL, fields, ARRAY_SIZE(fields), "%s", umlauts);
    object = json_loads(capture_end(), 0, NULL);
    log_open(LOG_TARGET_STDERR);

    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "NETWORK")), "a??");
    assert_int_equal(strlen(json_string_value(json_object_get(object, "MESSAGE"))), LOG_TEXT_MAX - 1);
    json_decref(object);
}

static void test_names(void **state)
{
    LogTarget target;
    int level;

    (void)state;
    for (int i = LOG_ERR; i <= LOG_DEBUG; i++) {
        assert_int_equal(log_level_from_string(log_level_to_string(i), &level), 0);
        assert_int_equal(level, i);
    }
    assert_int_equal(log_level_from_string("emerg", &level), -EINVAL);
    assert_int_equal(log_target_from_string("json", &target), 0);
    assert_int_equal(target, LOG_TARGET_JSON);
    assert_int_equal(log_target_from_string("syslog", &target), -EINVAL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),          cmocka_unit_test(test_level), cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_not_utf8), cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
