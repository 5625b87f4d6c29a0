/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signatures that AWS has published: the example of the General Reference and its test suite. Many
 * more requests are judged by botocore in tests/system/test_signature.py.
 */

#include "aws/sigv4.h"
#include "lib/test.h"

#define NOW (1440938160 * USEC_PER_SEC) /* 20150830T123600Z */

static Sigv4Request example(const char *service, const char *method, const char *host)
{
    return (Sigv4Request){
        .access_key_id = "AKIDEXAMPLE",
        .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        .region = "us-east-1",
        .service = service,
        .method = method,
        .host = host,
        .path = "/",
        .query = "",
        .now = NOW,
    };
}

static void assert_signed(const Sigv4Request *request, const char *authorization)
{
    _cleanup_strlist_ StrList lines = STRLIST_NULL;

    assert_int_equal(sigv4_sign(request, &lines), 0);
    assert_string_equal(lines.items[lines.n - 1], authorization);
}

static void test_list_users(void **state)
{
    Sigv4Request request = example("iam", "GET", "iam.amazonaws.com");

    (void)state;
    request.query = "Action=ListUsers&Version=2010-05-08";
    request.content_type = "application/x-www-form-urlencoded; charset=utf-8";
    assert_signed(
        &request,
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

static void test_post(void **state)
{
    Sigv4Request request = example("service", "POST", "example.amazonaws.com");

    (void)state;
    request.content_type = "  application/x-www-form-urlencoded  "; /* space at the ends does not count */
    request.body = "Param1=value1";
    request.n_body = strlen(request.body);
    assert_signed(&request,
                  "Authorization: AWS4-HMAC-SHA256 "
                  "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                  "SignedHeaders=content-type;host;x-amz-date, "
                  "Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
}

static void test_lines(void **state)
{
    _cleanup_strlist_ StrList lines = STRLIST_NULL;
    Sigv4Request request = example("ec2", "POST", "127.0.0.1:8080");

    (void)state;
    request.session_token = "token";
    assert_int_equal(sigv4_sign(&request, &lines), 0);
    assert_int_equal(lines.n, 4);
    assert_string_equal(lines.items[0], "Host: 127.0.0.1:8080");
    assert_string_equal(lines.items[1], "X-Amz-Date: 20150830T123600Z");
    assert_string_equal(lines.items[2], "X-Amz-Security-Token: token");
    assert_non_null(strstr(lines.items[3], "SignedHeaders=host;x-amz-date;x-amz-security-token, "));
    for (size_t i = 0; i < lines.n; i++)
        assert_null(strstr(lines.items[i], request.secret_access_key));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_users),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
