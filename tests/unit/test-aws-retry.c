/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Error classes, pauses and pacing, on a clock and a chance of our own.
 */

#include "aws/retry.h"
#include "lib/test.h"

static void test_classes(void **state)
{
    static const struct {
        unsigned status;
        const char *code, *message;
        AwsErrorClass class;
    } rows[] = {
        {200, "", "", AWS_ERROR_NONE},
        {503, "RequestLimitExceeded", "", AWS_ERROR_THROTTLED},
        {400, "Throttling", "", AWS_ERROR_THROTTLED},
        {429, "", "", AWS_ERROR_THROTTLED},
        {0, "", "", AWS_ERROR_TRANSIENT},
        {500, "InternalError", "", AWS_ERROR_TRANSIENT},
        {502, "", "", AWS_ERROR_TRANSIENT},
        {500, "NeverHeardOf", "", AWS_ERROR_TRANSIENT},
        {400, "NeverHeardOf", "", AWS_ERROR_FINAL},
        {400, "ExpiredToken", "", AWS_ERROR_EXPIRED},
        {401, "AuthFailure", "", AWS_ERROR_EXPIRED},
        {400, "InvalidNetworkInterfaceID.NotFound", "", AWS_ERROR_NOT_FOUND},
        {400, "InvalidSomethingNew.NotFound", "", AWS_ERROR_NOT_FOUND},
        {400, "InvalidIPAddress.InUse", "", AWS_ERROR_ADDRESS_IN_USE},
        {400, "InvalidParameterValue", "[10.0.0.5] assigned, but move is not allowed.",
         AWS_ERROR_ADDRESS_IN_USE},
        {400, "InvalidParameterValue", "Address 10.0.0.1 is in subnet's reserved address range.",
         AWS_ERROR_ADDRESS_IN_USE},
        {400, "InvalidParameterValue",
         "Instance 'i-1' already has an interface attached at device index '1'.", AWS_ERROR_INDEX_IN_USE},
        {400, "InvalidParameterValue", "Value (x) for parameter y is invalid.", AWS_ERROR_FINAL},
        {400, "InvalidNetworkInterface.InUse", "", AWS_ERROR_ENI_IN_USE},
        {400, "PrivateIpAddressLimitExceeded", "", AWS_ERROR_ADDRESS_LIMIT},
        {400, "AttachmentLimitExceeded", "", AWS_ERROR_ATTACH_LIMIT},
        {400, "InsufficientFreeAddressesInSubnet", "", AWS_ERROR_SUBNET_FULL},
        {403, "UnauthorizedOperation", "", AWS_ERROR_DENIED},
        {403, "AccessDenied", "", AWS_ERROR_DENIED},
        {401, "OptInRequired", "", AWS_ERROR_FINAL},
        {400, "IncorrectState", "instance 'i-1' is not 'running' or 'stopped'", AWS_ERROR_TRANSIENT},
        {400, "IncorrectState", "something else", AWS_ERROR_FINAL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (aws_error_classify(rows[i].status, rows[i].code, rows[i].message) != rows[i].class)
            fail_msg("%u %s %s", rows[i].status, rows[i].code, rows[i].message);
}

static void test_hints(void **state)
{
    static const char *const denied[] = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"};
    static const char *const codes[] = {
        "UnauthorizedOperation", "AttachmentLimitExceeded",       "InsufficientFreeAddressesInSubnet",
        "OptInRequired",         "NetworkInterfaceLimitExceeded", "InvalidSubnetID.NotFound",
        "InvalidGroup.NotFound", "PrivateIpAddressLimitExceeded", "AuthFailure",
        "RequestExpired",        "RequestLimitExceeded",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        assert_non_null(aws_error_hint(codes[i]));
    for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
        assert_non_null(strstr(aws_error_hint(denied[i]), "multus-eksctl policy"));
    assert_null(aws_error_hint(""));
    assert_null(aws_error_hint("NeverHeardOf"));
}

static void test_delay(void **state)
{
    usec_t last = 0, most;

    (void)state;
    assert_int_equal(aws_retry_delay(AWS_ERROR_TRANSIENT, 5, 0), 0);
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        most = aws_retry_delay(AWS_ERROR_TRANSIENT, attempt, UINT32_MAX);
        assert_true(most >= last);
        assert_true(aws_retry_delay(AWS_ERROR_TRANSIENT, attempt, UINT32_MAX / 2) <= most / 2 + 1);
        last = most;
    }
    assert_int_equal(aws_retry_delay(AWS_ERROR_TRANSIENT, 0, UINT32_MAX), 200 * USEC_PER_MSEC);
    assert_int_equal(last, 10 * USEC_PER_SEC);
    assert_int_equal(aws_retry_delay(AWS_ERROR_THROTTLED, UINT32_MAX, UINT32_MAX), 5 * USEC_PER_SEC);
}

static void test_bucket(void **state)
{
    const usec_t start = 1000 * USEC_PER_SEC;
    AwsBucket bucket = {0};

    (void)state;
    for (int i = 0; i < 50; i++)
        assert_int_equal(aws_bucket_take(&bucket, true, start), start);
    /* Each who waits has a time of his own, a fifth of a second apart. */
    assert_int_equal(aws_bucket_take(&bucket, true, start), start + 200 * USEC_PER_MSEC);
    assert_int_equal(aws_bucket_take(&bucket, true, start), start + 400 * USEC_PER_MSEC);
    /* A second later those two have gone and three more may. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(aws_bucket_take(&bucket, true, start + USEC_PER_SEC), start + USEC_PER_SEC);
    assert_true(aws_bucket_take(&bucket, true, start + USEC_PER_SEC) > start + USEC_PER_SEC);
    /* It never holds more than its size. */
    for (int i = 0; i < 50; i++)
        assert_int_equal(aws_bucket_take(&bucket, true, 2 * start), 2 * start);
    assert_true(aws_bucket_take(&bucket, true, 2 * start) > 2 * start);
}

static void test_throttled(void **state)
{
    usec_t now = 1000 * USEC_PER_SEC;
    AwsBucket bucket = {0};

    (void)state;
    (void)aws_bucket_take(&bucket, true, now);
    aws_bucket_throttled(&bucket, now);
    assert_int_equal(aws_bucket_take(&bucket, true, now), now + 400 * USEC_PER_MSEC); /* 2.5 a second */
    for (int i = 0; i < 10; i++)
        aws_bucket_throttled(&bucket, now);
    bucket.tokens = 0;
    assert_int_equal(aws_bucket_take(&bucket, true, now), now + USEC_PER_SEC); /* the floor */
    for (int i = 0; i < 8; i++)
        aws_bucket_succeeded(&bucket, now);
    bucket.tokens = 0;
    assert_int_equal(aws_bucket_take(&bucket, true, now), now + 200 * USEC_PER_MSEC);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes), cmocka_unit_test(test_hints),     cmocka_unit_test(test_delay),
        cmocka_unit_test(test_bucket),  cmocka_unit_test(test_throttled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
