/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls against a server that plays IMDS and EC2: what is retried, what is not, when the credentials
 * are fetched, and that a lost reply of a mutating call is never repeated against the caller's wish.
 */

#include "aws/call.h"
#include "lib/fake-http.h"
#include "lib/test.h"
#include <errno.h>
#include <stdio.h>

#define KEYS(_id)                                                                                            \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"" _id                                                           \
    "\",\"SecretAccessKey\":\"secret\",\"Token\":\"token\","                                                 \
    "\"Expiration\":\"2099-01-01T00:00:00Z\"}"
#define ERROR(_code, _message)                                                                               \
    "<?xml version=\"1.0\"?><Response><Errors><Error><Code>" _code "</Code><Message>" _message               \
    "</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
#define DELETED                                                                                              \
    "<DeleteNetworkInterfaceResponse><requestId>r-2</requestId><return>true</return>"                        \
    "</DeleteNetworkInterfaceResponse>"
#define PAGE(_id, _token)                                                                                    \
    "<DescribeSubnetsResponse><requestId>r-3</requestId><subnetSet><item><subnetId>" _id                     \
    "</subnetId></item></subnetSet><nextToken>" _token "</nextToken></DescribeSubnetsResponse>"

/* Nothing waits for so long: it is there for machines under load, where 100 ms are soon over. */
#define PATIENCE (60 * USEC_PER_SEC)

typedef struct Fixture {
    sd_event *event;
    Http *http;
    FakeHttp *fake;
    Imds *imds;
    Credentials *credentials;
    Aws *aws;
    const FakeReply *script; /* of EC2: the k-th call gets the k-th, the last one for ever */
    size_t n_script;
    unsigned n_ec2;
    unsigned n_tokens;
    unsigned n_roles;
    unsigned n_keys;
    bool no_role;
    char last_authorization[1024];
    char last_body[1024];
} Fixture;

typedef struct Answer {
    AwsCall *call;
    bool done;
    bool ok;
    AwsErrorClass class;
    int error;
    char code[64];
    char message[512];
    char request_id[64];
    unsigned n_tries;
    bool ambiguous;
    size_t n_subnets;
    unsigned n_amended; /* asked */
    bool unwanted;
} Answer;

static void serve_imds(Fixture *fixture, const FakeRequest *request, FakeReply *reply)
{
    if (streq(request->method, "PUT")) {
        assert_string_equal(fake_request_header(request, "X-aws-ec2-metadata-token-ttl-seconds"), "21600");
        fixture->n_tokens++;
        reply->body = "imds-token";
        return;
    }
    assert_string_equal(fake_request_header(request, "X-aws-ec2-metadata-token"), "imds-token");
    if (fixture->no_role) {
        reply->status = 404;
    } else if (streq(request->target, "/latest/meta-data/iam/security-credentials/")) {
        fixture->n_roles++;
        reply->body = "node-role";
    } else {
        assert_string_equal(request->target, "/latest/meta-data/iam/security-credentials/node-role");
        reply->body = fixture->n_keys++ == 0 ? KEYS("AKID1") : KEYS("AKID2");
    }
}

static void serve(const FakeRequest *request, FakeReply *reply, void *userdata)
{
    Fixture *fixture = userdata;

    if (strncmp(request->target, "/latest/", 8) == 0) {
        serve_imds(fixture, request, reply);
        return;
    }
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->target, "/");
    (void)snprintf(fixture->last_authorization, sizeof(fixture->last_authorization), "%s",
                   fake_request_header(request, "Authorization"));
    (void)snprintf(fixture->last_body, sizeof(fixture->last_body), "%s", request->body);
    *reply = fixture->script[MIN((size_t)fixture->n_ec2, fixture->n_script - 1)];
    fixture->n_ec2++;
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));
    AwsOptions options = {.region = "eu-west-1", .request_timeout = PATIENCE};

    assert_true(sd_event_new(&fixture->event) >= 0);
    fixture->fake = fake_http_new(fixture->event, serve, fixture);
    options.endpoints[AWS_SERVICE_EC2] = options.endpoints[AWS_SERVICE_AUTOSCALING] =
        fake_http_url(fixture->fake);
    assert_int_equal(http_new(&fixture->http, fixture->event, &(HttpOptions){.proxy = NULL}), 0);
    assert_int_equal(
        imds_new(&fixture->imds, fixture->event, fixture->http, fake_http_url(fixture->fake), PATIENCE), 0);
    assert_int_equal(credentials_new(&fixture->credentials, fixture->event, fixture->imds), 0);
    assert_int_equal(aws_new(&fixture->aws, fixture->event, fixture->http, fixture->credentials, &options),
                     0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    aws_free(fixture->aws);
    credentials_free(fixture->credentials);
    imds_free(fixture->imds);
    http_free(fixture->http);
    fake_http_free(fixture->fake);
    sd_event_unref(fixture->event);
    free(fixture);
    return 0;
}

static void on_answer(const AwsReply *reply, void *userdata)
{
    Answer *answer = userdata;

    answer->call = aws_call_free(answer->call); /* the reply must outlive it */
    assert_false(answer->done);
    answer->done = true;
    answer->ok = !reply->error;
    answer->n_tries = reply->n_tries;
    answer->ambiguous = reply->ambiguous;
    if (reply->records)
        answer->n_subnets = reply->records->n_subnets;
    if (!reply->error)
        return;
    answer->class = reply->error->class;
    answer->error = reply->error->error;
    (void)snprintf(answer->code, sizeof(answer->code), "%s", reply->error->code);
    (void)snprintf(answer->message, sizeof(answer->message), "%s", reply->error->message);
    (void)snprintf(answer->request_id, sizeof(answer->request_id), "%s", reply->error->request_id);
    assert_true(reply->error->error < 0);
}

static void start(Fixture *fixture, AwsQuery *query, usec_t budget, unsigned flags, Answer *answer)
{
    assert_int_equal(
        aws_call(fixture->aws, query, time_monotonic() + budget, flags, on_answer, answer, &answer->call), 0);
    assert_false(answer->done);
}

static void call_delete(Fixture *fixture, usec_t budget, unsigned flags, Answer *answer)
{
    AwsQuery query;

    assert_int_equal(ec2_query_delete_network_interface("eni-1", &query), 0);
    start(fixture, &query, budget, flags, answer);
    fake_run_until(fixture->event, &answer->done);
}

#define SCRIPT(_fixture, ...)                                                                                \
    const FakeReply script_[] = {__VA_ARGS__};                                                               \
    (_fixture)->script = script_;                                                                            \
    (_fixture)->n_script = ARRAY_SIZE(script_)

static void test_ok(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0}, again = {0};
    SCRIPT(fixture, {.body = DELETED});

    call_delete(fixture, PATIENCE, 0, &answer);
    assert_true(answer.ok);
    assert_int_equal(answer.n_tries, 1);
    assert_false(answer.ambiguous);
    assert_string_equal(fixture->last_body,
                        "Action=DeleteNetworkInterface&Version=2016-11-15&NetworkInterfaceId=eni-1");
    assert_non_null(strstr(fixture->last_authorization, "Credential=AKID1/"));
    assert_non_null(strstr(fixture->last_authorization, "/eu-west-1/ec2/aws4_request"));

    call_delete(fixture, PATIENCE, 0, &again);
    assert_int_equal(fixture->n_tokens, 1);
    assert_int_equal(fixture->n_keys, 1);
    assert_int_equal(aws_statistics(fixture->aws)->n_calls, 2);
    assert_int_equal(aws_statistics(fixture->aws)->n_mutating, 2);
}

static void test_retried(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0};
    SCRIPT(fixture, {.status = 503, .body = ERROR("RequestLimitExceeded", "slow down")},
           {.status = 500, .body = ERROR("InternalError", "oops")}, {.body = "<garbage"}, {.how = FAKE_CLOSE},
           {.body = DELETED});

    call_delete(fixture, PATIENCE, 0, &answer);
    assert_true(answer.ok);
    assert_int_equal(answer.n_tries, 5);
    assert_true(answer.ambiguous);
    assert_int_equal(aws_statistics(fixture->aws)->n_throttled, 1);
    assert_int_equal(aws_statistics(fixture->aws)->n_retried, 4);
}

/* What may have been done is not done again when the caller wants to look first; what was refused is. */
static void test_no_blind_retry(void **state)
{
    static const struct {
        FakeReply reply;
        bool retried;
    } rows[] = {
        {{.how = FAKE_CLOSE}, false},
        {{.how = FAKE_HANG}, false},
        {{.body = "<DeleteNetworkInterfaceResponse>"}, false},
        {{.status = 500, .body = ERROR("InternalError", "oops")}, false},
        {{.status = 502, .body = "bad gateway"}, false},
        {{.status = 503, .body = ERROR("Unavailable", "no")}, true},
        {{.status = 503, .body = ERROR("RequestLimitExceeded", "slow down")}, true},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        FakeReply script[] = {rows[i].reply, {.body = DELETED}};
        Answer answer = {0};

        fixture->script = script;
        fixture->n_script = ARRAY_SIZE(script);
        fixture->n_ec2 = 0;
        call_delete(fixture, rows[i].reply.how == FAKE_HANG ? USEC_PER_SEC : PATIENCE,
                    AWS_CALL_NO_BLIND_RETRY, &answer);
        assert_int_equal(answer.ok, rows[i].retried);
        assert_int_equal(answer.ambiguous, !rows[i].retried);
        assert_int_equal(fixture->n_ec2, rows[i].retried ? 2 : 1);
    }
}

static void test_final(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0};
    SCRIPT(fixture, {.status = 403, .body = ERROR("UnauthorizedOperation", "You may not")});

    call_delete(fixture, PATIENCE, AWS_CALL_RETRY_NOT_FOUND, &answer);
    assert_false(answer.ok);
    assert_int_equal(answer.class, AWS_ERROR_DENIED);
    assert_int_equal(answer.error, -EACCES);
    assert_string_equal(answer.code, "UnauthorizedOperation");
    assert_string_equal(answer.message, "You may not");
    assert_string_equal(answer.request_id, "r-1");
    assert_int_equal(answer.n_tries, 1);
}

static void test_not_found(void **state)
{
    Fixture *fixture = *state;
    Answer wanted = {0}, unwanted = {0};
    SCRIPT(fixture, {.status = 400, .body = ERROR("InvalidNetworkInterfaceID.NotFound", "?")},
           {.body = DELETED});

    call_delete(fixture, PATIENCE, AWS_CALL_RETRY_NOT_FOUND, &wanted);
    assert_true(wanted.ok);
    assert_false(wanted.ambiguous);
    fixture->n_ec2 = 0;
    call_delete(fixture, PATIENCE, 0, &unwanted);
    assert_false(unwanted.ok);
    assert_int_equal(unwanted.class, AWS_ERROR_NOT_FOUND);
}

static AwsAmendment amend(AwsQuery *ret, usec_t *ret_deadline, void *userdata)
{
    Answer *answer = userdata;

    if (answer->n_amended++ == 0)
        return AWS_AMENDMENT_NONE;
    if (answer->unwanted)
        return AWS_AMENDMENT_END;
    if (aws_call_is_ambiguous(answer->call))
        return AWS_AMENDMENT_NONE;
    assert_int_equal(ec2_query_delete_network_interface("eni-2", ret), 0);
    *ret_deadline = 0;
    return AWS_AMENDMENT_QUERY;
}

/* Refused for the rate, or failed so that it may have been carried out. */
static const FakeReply throttled = {.status = 503, .body = ERROR("RequestLimitExceeded", "slow down")};
static const FakeReply failed = {.status = 500, .body = ERROR("InternalError", "oops")};

static void start_delete(Fixture *fixture, Answer *answer)
{
    AwsQuery query;

    fixture->n_ec2 = 0;
    assert_int_equal(ec2_query_delete_network_interface("eni-1", &query), 0);
    start(fixture, &query, PATIENCE, 0, answer);
}

/* Nobody wants it any more: it does not go out again. */
static void test_amend_end(void **state)
{
    Fixture *fixture = *state;

    for (unsigned ambiguous = 0; ambiguous < 2; ambiguous++) {
        Answer answer = {.unwanted = true};
        SCRIPT(fixture, ambiguous ? failed : throttled, {.body = DELETED});

        start_delete(fixture, &answer);
        aws_call_on_try(answer.call, amend);
        fake_run_until(fixture->event, &answer.done);
        assert_int_equal(answer.error, -ECANCELED);
        assert_int_equal(answer.ambiguous, ambiguous);
        assert_int_equal(fixture->n_ec2, 1);
    }
}

/* What gives way before its turn was not sent, and does not cost those after it their turn. */
static void test_give_up_keeps_no_turn(void **state)
{
    Fixture *fixture = *state;
    Answer first = {0}, last = {0};
    SCRIPT(fixture, throttled, {.body = DELETED});

    start_delete(fixture, &first);
    fake_run_until(fixture->event, &first.done);
    for (unsigned i = 0; i < 300; i++) {
        Answer answer = {0};

        start_delete(fixture, &answer);
        if (i % 2 == 0 && aws_call_give_up(answer.call))
            fake_run_until(fixture->event, &answer.done);
        else
            answer.call = aws_call_free(answer.call);
    }
    start_delete(fixture, &last);
    fixture->n_ec2 = 1;
    fake_run_until(fixture->event, &last.done);
    assert_true(last.ok);
}

/* Between two tries it can be given up; while one is under way EC2 may carry it out. */
static void test_give_up(void **state)
{
    Fixture *fixture = *state;

    /* A bucket is slow afterwards: the throttled one comes last. */
    for (unsigned n = 0; n < 2; n++) {
        bool ambiguous = n == 0;
        Answer answer = {0};
        SCRIPT(fixture, ambiguous ? failed : throttled, {.body = DELETED});

        start_delete(fixture, &answer);
        while (fixture->n_ec2 == 0) {
            assert_false(aws_call_give_up(answer.call));
            assert_true(sd_event_run(fixture->event, PATIENCE) >= 0);
        }
        while (!aws_call_give_up(answer.call))
            assert_true(sd_event_run(fixture->event, PATIENCE) >= 0);
        assert_false(answer.done);
        assert_int_equal(aws_call_is_ambiguous(answer.call), ambiguous);
        assert_false(aws_call_give_up(answer.call));
        fake_run_until(fixture->event, &answer.done);
        assert_int_equal(answer.error, ambiguous ? -EIO : -ECANCELED);
        assert_int_equal(answer.ambiguous, ambiguous);
        assert_int_equal(fixture->n_ec2, 1);
    }
}

/* What was refused for the rate may ask for something else when it goes out again; not what may be done. */
static void test_amend(void **state)
{
    const struct {
        FakeReply reply;
        unsigned n_amended;
        const char *asked;
    } cases[] = {
        {throttled, 2, "=eni-2"},
        {failed, 2, "=eni-1"},
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Answer answer = {0};
        SCRIPT(fixture, cases[i].reply, {.body = DELETED});

        start_delete(fixture, &answer);
        aws_call_on_try(answer.call, amend);
        fake_run_until(fixture->event, &answer.done);
        assert_true(answer.ok);
        assert_int_equal(answer.n_tries, 2);
        assert_int_equal(answer.n_amended, cases[i].n_amended);
        assert_non_null(strstr(fixture->last_body, cases[i].asked));
    }
}

static void test_deadline(void **state)
{
    Fixture *fixture = *state;
    usec_t started = time_monotonic();
    Answer answer = {0};
    SCRIPT(fixture, {.status = 500, .body = ERROR("InternalError", "oops")});

    call_delete(fixture, USEC_PER_SEC, 0, &answer);
    assert_false(answer.ok);
    assert_string_equal(answer.code, "InternalError");
    assert_true(time_monotonic() - started < PATIENCE);
}

/* A try that the end of the time cuts short tells nothing; what AWS said before it does. */
static void test_cut_short(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0}, silent = {0};
    SCRIPT(fixture, {.status = 503, .body = ERROR("RequestLimitExceeded", "slow down")}, {.how = FAKE_HANG});

    call_delete(fixture, 3 * USEC_PER_SEC, 0, &answer);
    assert_int_equal(answer.n_tries, 2);
    assert_string_equal(answer.code, "RequestLimitExceeded");
    assert_int_equal(answer.class, AWS_ERROR_THROTTLED);
    assert_true(answer.ambiguous); /* for all that, the second one may have been carried out */

    call_delete(fixture, 300 * USEC_PER_MSEC, 0, &silent);
    assert_int_equal(silent.error, -ETIMEDOUT);
    assert_string_equal(silent.code, "");
}

static void test_expired_credentials(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0}, hopeless = {0};
    SCRIPT(fixture, {.status = 400, .body = ERROR("ExpiredToken", "old")}, {.body = DELETED});
    const FakeReply always[] = {{.status = 401, .body = ERROR("AuthFailure", "who?")}};

    call_delete(fixture, PATIENCE, 0, &answer);
    assert_true(answer.ok);
    assert_int_equal(fixture->n_keys, 2);
    assert_int_equal(fixture->n_roles, 1);
    assert_non_null(strstr(fixture->last_authorization, "Credential=AKID2/"));

    fixture->script = always;
    fixture->n_script = 1;
    call_delete(fixture, PATIENCE, 0, &hopeless);
    assert_int_equal(hopeless.n_tries, 3);
    assert_int_equal(hopeless.class, AWS_ERROR_EXPIRED);
}

/* A far Date mends the clock and leaves the credentials alone. */
static void test_clock_skew(void **state)
{
    Fixture *fixture = *state;
    time_t server = (time_t)(time_realtime() / USEC_PER_SEC) + 3600;
    char date[64], day[16];
    Answer answer = {0};
    SCRIPT(fixture, {.status = 400, .body = ERROR("RequestExpired", "late"), .headers = date},
           {.body = DELETED, .headers = date});

    assert_int_equal(aws_clock_difference(fixture->aws), 0);
    (void)strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&server));
    (void)strftime(day, sizeof(day), "%Y%m%d", gmtime(&server));
    call_delete(fixture, PATIENCE, 0, &answer);
    assert_true(answer.ok);
    assert_int_equal(fixture->n_keys, 1);
    assert_in_range(aws_clock_offset(fixture->aws), 3595 * USEC_PER_SEC, 3605 * USEC_PER_SEC);
    assert_in_range(aws_clock_difference(fixture->aws), 3595 * USEC_PER_SEC, 3605 * USEC_PER_SEC);
    assert_non_null(strstr(fixture->last_authorization, day));
}

static void test_no_role(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0};
    SCRIPT(fixture, {.body = DELETED});

    fixture->no_role = true;
    call_delete(fixture, PATIENCE, 0, &answer);
    assert_false(answer.ok);
    assert_int_equal(answer.error, -ENOENT);
    assert_string_equal(answer.code, "");
    assert_non_null(strstr(answer.message, "no IAM role"));
    assert_int_equal(fixture->n_ec2, 0);
}

static void test_pages(void **state)
{
    static const Ec2Filter filters[] = {{NULL, NULL}};
    Fixture *fixture = *state;
    Answer answer = {0};
    AwsQuery query;
    SCRIPT(fixture, {.body = PAGE("subnet-1", "next+one")}, {.status = 500}, {.body = PAGE("subnet-2", "")});

    assert_int_equal(ec2_query_describe_subnets(filters, &query), 0);
    start(fixture, &query, PATIENCE, AWS_CALL_NO_BLIND_RETRY, &answer);
    fake_run_until(fixture->event, &answer.done);
    assert_true(answer.ok);
    assert_int_equal(answer.n_subnets, 2);
    assert_int_equal(answer.n_tries, 3);
    assert_non_null(strstr(fixture->last_body, "&NextToken=next%2Bone"));
}

/* Many calls share one token and one fetch of the credentials. */
static void test_parallel(void **state)
{
    Fixture *fixture = *state;
    Answer answers[14] = {0};
    AwsQuery query;
    SCRIPT(fixture, {.body = DELETED});

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        assert_int_equal(ec2_query_delete_network_interface("eni-1", &query), 0);
        start(fixture, &query, PATIENCE, 0, &answers[i]);
    }
    answers[0].call = aws_call_free(answers[0].call);
    for (size_t i = 1; i < ARRAY_SIZE(answers); i++) {
        fake_run_until(fixture->event, &answers[i].done);
        assert_true(answers[i].ok);
    }
    assert_false(answers[0].done);
    assert_int_equal(fixture->n_tokens, 1);
    assert_int_equal(fixture->n_keys, 1);
    assert_int_equal(fixture->n_ec2, 13);
}

static void call_dry_run(Fixture *fixture, unsigned flags, Answer *answer)
{
    AwsQuery query;

    assert_int_equal(ec2_query_delete_network_interface("eni-1", &query), 0);
    assert_int_equal(aws_query_set_dry_run(&query), 0);
    start(fixture, &query, PATIENCE, flags, answer);
    fake_run_until(fixture->event, &answer->done);
}

/* 412 is a yes to the question whether, and to no other; a question changes nothing, so it is asked again. */
static void test_dry_run(void **state)
{
    Fixture *fixture = *state;
    Answer allowed = {0}, denied = {0}, lost = {0}, in_earnest = {0};
    SCRIPT(fixture, {.status = 412, .body = ERROR("DryRunOperation", "would have succeeded")},
           {.status = 403, .body = ERROR("UnauthorizedOperation", "no")}, {.how = FAKE_CLOSE},
           {.status = 412, .body = ERROR("DryRunOperation", "would have succeeded")});

    call_dry_run(fixture, 0, &allowed);
    assert_true(allowed.ok);
    assert_string_equal(
        fixture->last_body,
        "Action=DeleteNetworkInterface&Version=2016-11-15&NetworkInterfaceId=eni-1&DryRun=true");

    call_dry_run(fixture, 0, &denied);
    assert_false(denied.ok);
    assert_int_equal(denied.class, AWS_ERROR_DENIED);

    call_dry_run(fixture, AWS_CALL_NO_BLIND_RETRY, &lost);
    assert_true(lost.ok);
    assert_int_equal(lost.n_tries, 2);
    assert_false(lost.ambiguous);
    assert_int_equal(aws_statistics(fixture->aws)->n_calls, 4);
    assert_int_equal(aws_statistics(fixture->aws)->n_mutating, 0);

    call_delete(fixture, PATIENCE, 0, &in_earnest);
    assert_false(in_earnest.ok);
    assert_string_equal(in_earnest.code, "DryRunOperation");
}

static void test_endpoints(void **state)
{
    static const char *const bad[] = {"", "ec2.amazonaws.com", "https://"};
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        AwsOptions options = {.region = "r", .endpoints = {bad[i], bad[i]}, .request_timeout = 1};
        Aws *aws;

        assert_int_equal(aws_new(&aws, fixture->event, fixture->http, fixture->credentials, &options),
                         -EINVAL);
    }
}

int main(void)
{
#define TEST(_function) cmocka_unit_test_setup_teardown(_function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_ok),         TEST(test_retried),   TEST(test_no_blind_retry),
        TEST(test_final),      TEST(test_not_found), TEST(test_amend),
        TEST(test_deadline),   TEST(test_cut_short), TEST(test_expired_credentials),
        TEST(test_amend_end),  TEST(test_give_up),   TEST(test_give_up_keeps_no_turn),
        TEST(test_clock_skew), TEST(test_no_role),   TEST(test_pages),
        TEST(test_parallel),   TEST(test_dry_run),   TEST(test_endpoints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
