/* SPDX-License-Identifier: Apache-2.0 */

/*
 * AWS errors in words.
 */

#include "eni/explain.h"
#include "lib/test.h"
#include "util/message-ids.h"

/* They outlive the error; what AWS did not say is no field. */
static void test_fields(void **state _unused_)
{
    char action[] = "DescribeSubnets", code[] = "RequestExpired";
    AwsError error = {.action = action, .code = code, .request_id = ""};
    LogField fields[N_CALL_FIELDS];
    CallFields call;

    call_fields_init(&call, &error);
    action[0] = code[0] = 'X';
    call_fields_put(&call, fields);
    assert_string_equal(fields[0].name, "AWS_ACTION");
    assert_string_equal(fields[0].value, "DescribeSubnets");
    assert_string_equal(fields[1].name, "AWS_ERROR_CODE");
    assert_string_equal(fields[1].value, "RequestExpired");
    assert_string_equal(fields[2].name, "REQUEST_ID");
    assert_null(fields[2].value);

    call_fields_init(&call, NULL);
    call_fields_put(&call, fields);
    for (size_t i = 0; i < N_CALL_FIELDS; i++)
        assert_null(fields[i].value);
}

static void test_text(void **state _unused_)
{
    static const struct {
        AwsError error;
        const char *expected;
    } rows[] = {
        {{.action = "A", .code = "Foo", .message = "no", .request_id = "r-1", .n_tries = 1},
         "doing: A: Foo: no (request r-1)"},
        {{.action = "A", .code = "Foo", .message = "no", .request_id = "r-1", .n_tries = 3},
         "doing: A: Foo: no (request r-1; 3 tries)"},
        {{.action = "A", .code = "Foo", .message = "no", .request_id = "", .n_tries = 2},
         "doing: A: Foo: no (2 tries)"},
        {{.action = "A", .code = "", .message = "no reply", .request_id = "", .n_tries = 1},
         "doing: A: no reply"},
        {{.action = "", .code = "", .message = "out of memory", .request_id = ""}, "doing: out of memory"},
        {{.action = "A",
          .code = "Foo",
          .message = "You may not. Encoded authorization failure message: ZGVuaWVk",
          .request_id = "r-1",
          .n_tries = 1},
         "doing: A: Foo: You may not. (request r-1)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(freep) char *text = explain_error(&rows[i].error, "doing");

        assert_string_equal(text, rows[i].expected);
    }
}

static void test_hint(void **state _unused_)
{
    AwsError error = {
        .action = "A", .code = "AttachmentLimitExceeded", .message = "no", .request_id = "r-1", .n_tries = 1};
    _cleanup_(freep) char *text = explain_error(&error, "doing");
    const char *head = "doing: A: AttachmentLimitExceeded: no (request r-1). ";

    assert_memory_equal(text, head, strlen(head));
    assert_string_equal(text + strlen(head), aws_error_hint("AttachmentLimitExceeded"));
}

static void test_message_id(void **state _unused_)
{
    static const struct {
        AwsErrorClass class;
        const char *code;
        const char *id;
    } rows[] = {
        {AWS_ERROR_DENIED, "UnauthorizedOperation", MESSAGE_AWS_DENIED},
        {AWS_ERROR_THROTTLED, "RequestLimitExceeded", MESSAGE_AWS_THROTTLED},
        {AWS_ERROR_EXPIRED, "RequestTimeTooSkewed", MESSAGE_CLOCK_SKEW},
        {AWS_ERROR_EXPIRED, "ExpiredToken", MESSAGE_AWS_CALL_FAILED},
        {AWS_ERROR_FINAL, "", MESSAGE_AWS_CALL_FAILED},
        {AWS_ERROR_TRANSIENT, "", MESSAGE_AWS_CALL_FAILED},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AwsError error = {.class = rows[i].class, .code = rows[i].code};

        assert_string_equal(explain_message_id(&error), rows[i].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_hint),
        cmocka_unit_test(test_message_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
