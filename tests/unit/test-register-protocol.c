/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Paths against patterns, bodies, and the form of a refusal.
 */

#include "lib/test.h"
#include "register/protocol.h"
#include "util/macro.h"
#include <errno.h>

static void test_match(void **state)
{
    static const struct {
        const char *pattern;
        const char *path;
        bool matches;
        const char *parameter;
    } rows[] = {
        {"/v1/status", "/v1/status", true, NULL},
        {"/v1/status", "/v1/statu", false, NULL},
        {"/v1/status", "/v1/status/", false, NULL},
        {"/v1/addresses/{ip}", "/v1/addresses/10.0.0.1", true, "10.0.0.1"},
        {"/v1/addresses/{ip}", "/v1/addresses/2001:db8::1", true, "2001:db8::1"},
        {"/v1/addresses/{ip}", "/v1/addresses/", false, NULL},
        {"/v1/addresses/{ip}", "/v1/addresses", false, NULL},
        {"/v1/addresses/{ip}", "/v1/addresses/a/b", false, NULL},
        {"/v1/addresses/{ip}", "", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *parameter = NULL;

        assert_int_equal(protocol_match(rows[i].pattern, rows[i].path, &parameter), rows[i].matches);
        assert_true(streq_ptr(parameter, rows[i].parameter));
    }
}

static void test_parse_object(void **state)
{
    static const struct {
        const char *text;
        int r;
    } rows[] = {
        {"{}", 0},         {" {\"a\": [1]} \n", 0},       {"", -EINVAL},      {"{", -EINVAL},
        {"[]", -EINVAL},   {"\"text\"", -EINVAL},         {"{} {}", -EINVAL}, {"{\"a\":1,\"a\":1}", -EINVAL},
        {"null", -EINVAL}, {"{\"a\":\"\xff\"}", -EINVAL},
    };
    char message[256], deep[5000];
    json_t *document;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        document = NULL;
        message[0] = '\0';
        assert_int_equal(protocol_parse_object(rows[i].text, strlen(rows[i].text), &document, message),
                         rows[i].r);
        assert_int_equal(document != NULL, rows[i].r == 0);
        assert_int_equal(message[0] != '\0', rows[i].r < 0);
        json_decref(document);
    }

    memset(deep, '[', sizeof(deep));
    assert_int_equal(protocol_parse_object(deep, sizeof(deep), &document, message), -EINVAL);
    assert_int_equal(protocol_parse_object(NULL, 0, &document, message), -EINVAL);
}

static void test_error(void **state)
{
    ProtocolError error = {.status = 404, .code = "not_found", .message = "no \"such\" thing"};
    json_t *document;
    char *text;

    (void)state;
    document = protocol_error(&error);
    text = json_dumps(document, JSON_COMPACT);
    assert_string_equal(text, "{\"error\":{\"code\":\"not_found\",\"message\":\"no \\\"such\\\" thing\"}}");
    free(text);
    json_decref(document);

    error.ec2_code = "InvalidParameterValue";
    error.ec2_request_id = "4f1a";
    document = protocol_error(&error);
    assert_string_equal(json_string_value(json_object_get(json_object_get(document, "error"), "ec2_code")),
                        "InvalidParameterValue");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(document, "error"), "ec2_request_id")), "4f1a");
    json_decref(document);
}

/* What it is told of may have come from anywhere: a refusal is one all the same. */
static void test_error_of_bytes(void **state)
{
    static const struct {
        const char *message, *said;
    } rows[] = {
        {"\"\xff\" is wrong", "\"?\" is wrong"},
        {"cut off: \xc3", "cut off: "},
        {"\xc3\xa9", "\xc3\xa9"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ProtocolError error = {400, "word", rows[i].message, rows[i].message, rows[i].message};
        json_t *document = protocol_error(&error), *inside = json_object_get(document, "error");

        assert_non_null(document);
        assert_string_equal(json_string_value(json_object_get(inside, "message")), rows[i].said);
        assert_string_equal(json_string_value(json_object_get(inside, "ec2_code")), rows[i].said);
        json_decref(document);
    }
}

static void test_owner_is_watch(void **state)
{
    (void)state;
    assert_true(protocol_owner_is_watch("watch:pod/net1"));
    assert_true(protocol_owner_is_watch("watch:"));
    assert_false(protocol_owner_is_watch("watch"));
    assert_false(protocol_owner_is_watch("cni:watch:pod"));
    assert_false(protocol_owner_is_watch(""));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),          cmocka_unit_test(test_parse_object),
        cmocka_unit_test(test_error),          cmocka_unit_test(test_error_of_bytes),
        cmocka_unit_test(test_owner_is_watch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
