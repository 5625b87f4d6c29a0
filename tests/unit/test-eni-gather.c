/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Gathering: a metadata service on loopback, then the fake of AWS; which endpoints follow from what
 * the first says, and how failures are told apart.
 */

#include "eni/gather.h"
#include "lib/fake-aws/cloud.h"
#include "lib/fake-http.h"
#include "lib/test.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdio.h>

#define MAC "02:00:00:00:00:0a"

typedef struct Fixture {
    Cloud cloud;
    FakeHttp *imds;
    Config *config;
    Gather *gather;
    Buf told;
    bool told_something;
    const char *missing; /* path answered with 404 */
} Fixture;

static void serve(const FakeRequest *request, FakeReply *reply, void *userdata)
{
    static const struct {
        const char *path, *body;
    } keys[] = {
        {"dynamic/instance-identity/document",
         "{\"instanceId\":\"i-1\",\"instanceType\":\"m5.large\",\"availabilityZone\":\"cn-north-1a\","
         "\"region\":\"cn-north-1\",\"accountId\":\"123456789012\"}"},
        {"meta-data/mac", MAC},
        {"meta-data/services/domain", "amazonaws.com.cn"},
        {"meta-data/network/interfaces/macs/" MAC "/vpc-id", "vpc-1"},
    };
    const Fixture *fixture = userdata;

    reply->status = 404;
    if (fixture->missing && strstr(request->target, fixture->missing))
        return;
    if (streq(request->method, "PUT")) {
        *reply = (FakeReply){.body = "token"};
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (streq(keys[i].path, request->target + strlen("/latest/")))
            *reply = (FakeReply){.body = keys[i].body};
}

static void on_gathered(Gather *gather _unused_, GatherEvent event, void *userdata)
{
    Fixture *fixture = userdata;

    assert_int_equal(buf_putc(&fixture->told, "MOF"[event]), 0);
    fixture->told_something = true;
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    fake_clock_use_real();
    fixture->imds = fake_http_new(fixture->cloud.event, serve, fixture);
    fixture->config = config_new();
    assert_non_null(fixture->config);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    (void)gather_free(fixture->gather);
    (void)fake_http_free(fixture->imds);
    (void)config_free(fixture->config);
    buf_done(&fixture->told);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

static void start(Fixture *fixture, const char *config)
{
    _cleanup_buf_ Buf errors = BUF_NULL, text = BUF_NULL;

    assert_int_equal(buf_printf(&text, "[aws]\nimds_endpoint = %s\n%s", fake_http_url(fixture->imds), config),
                     0);
    assert_int_equal(config_parse(fixture->config, "test.conf", text.data, text.n, &errors), 0);
    assert_int_equal(config_finish(fixture->config, &errors), 0);
    assert_int_equal(gather_start(&fixture->gather, fixture->cloud.event, fixture->config,
                                  time_add(time_monotonic(), USEC_PER_MINUTE), on_gathered, fixture),
                     0);
    assert_null(gather_metadata(fixture->gather));
    fake_run_until(fixture->cloud.event, &fixture->told_something);
}

static void test_endpoints_follow_from_metadata(void **state)
{
    Fixture *fixture = *state;
    const AwsOptions *options;

    start(fixture, "request_timeout = 7s\n");
    assert_string_equal(fixture->told.data, "M");
    assert_string_equal(gather_metadata(fixture->gather)->vpc_id, "vpc-1");
    options = fake_aws_options(gather_aws(fixture->gather));
    assert_string_equal(options->region, "cn-north-1");
    assert_string_equal(options->endpoints[AWS_SERVICE_EC2], "https://ec2.cn-north-1.amazonaws.com.cn");
    assert_string_equal(options->endpoints[AWS_SERVICE_AUTOSCALING],
                        "https://autoscaling.cn-north-1.amazonaws.com.cn");
    assert_true(options->request_timeout == 7 * USEC_PER_SEC);
    assert_int_equal(fake_aws_n_pending(gather_aws(fixture->gather), NULL), 3);
}

static void test_endpoints_as_configured(void **state)
{
    Fixture *fixture = *state;
    const AwsOptions *options;

    start(fixture, "region = eu-west-1\nec2_endpoint = http://127.0.0.1:2\n");
    options = fake_aws_options(gather_aws(fixture->gather));
    assert_string_equal(options->region, "eu-west-1");
    assert_string_equal(options->endpoints[AWS_SERVICE_EC2], "http://127.0.0.1:2");
    assert_string_equal(options->endpoints[AWS_SERVICE_AUTOSCALING],
                        "https://autoscaling.eu-west-1.amazonaws.com.cn");
}

static void test_observed(void **state)
{
    Fixture *fixture = *state;
    Aws *aws;

    start(fixture, "");
    aws = gather_aws(fixture->gather);
    fake_call_answer(fake_aws_pending(aws, "DescribeSubnets"), "<subnetSet/>");
    fake_call_answer(fake_aws_pending(aws, "DescribeInstanceTypes"), "<instanceTypeSet/>");
    fake_call_answer(fake_aws_pending(aws, "DescribeInstances"),
                     "<reservationSet><item><instancesSet><item><instanceId>i-1</instanceId></item>"
                     "</instancesSet></item></reservationSet>");
    assert_null(gather_observation(fixture->gather));
    fake_call_answer(fake_aws_pending(aws, "DescribeNetworkInterfaces"), "<networkInterfaceSet/>");
    assert_string_equal(fixture->told.data, "MO");
    assert_string_equal(gather_observation(fixture->gather)->facts.instance->instance_id, "i-1");
    assert_null(gather_error(fixture->gather));
}

static void test_no_metadata(void **state)
{
    Fixture *fixture = *state;

    fixture->missing = "/services/domain";
    start(fixture, "");
    assert_string_equal(fixture->told.data, "F");
    assert_non_null(strstr(gather_error(fixture->gather), "IMDS meta-data/services/domain: "));
    assert_string_equal(gather_message_id(fixture->gather), MESSAGE_IMDS_FAILED);
    assert_null(gather_aws(fixture->gather));
}

static void test_denied(void **state)
{
    Fixture *fixture = *state;

    start(fixture, "");
    fake_call_fail(fake_aws_pending(gather_aws(fixture->gather), "DescribeSubnets"), "UnauthorizedOperation",
                   "not you");
    assert_string_equal(fixture->told.data, "MF");
    assert_non_null(strstr(gather_error(fixture->gather),
                           "reading the subnets of the VPC: DescribeSubnets: UnauthorizedOperation"));
    assert_string_equal(gather_message_id(fixture->gather), MESSAGE_AWS_DENIED);
}

/* Credentials that are not there, and an instance that is not, are both -ENOENT. */
static void test_no_role_or_no_instance(void **state)
{
    Fixture *fixture = *state;
    Aws *aws;

    start(fixture, "");
    aws = gather_aws(fixture->gather);
    fake_call_fail_errno(fake_aws_pending(aws, "DescribeInstances"), -ENOENT, "the instance has no role");
    assert_string_equal(gather_message_id(fixture->gather), MESSAGE_NO_ROLE);
    fixture->gather = gather_free(fixture->gather);

    fixture->told_something = false;
    start(fixture, "");
    aws = gather_aws(fixture->gather);
    fake_call_answer(fake_aws_pending(aws, "DescribeInstances"), "<reservationSet/>");
    assert_string_not_equal(gather_message_id(fixture->gather), MESSAGE_NO_ROLE);
    assert_non_null(strstr(gather_error(fixture->gather), "InvalidInstanceID.NotFound"));
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_endpoints_follow_from_metadata),
        TEST(test_endpoints_as_configured),
        TEST(test_observed),
        TEST(test_no_metadata),
        TEST(test_denied),
        TEST(test_no_role_or_no_instance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
