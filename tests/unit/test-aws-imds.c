/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The metadata service's session: one token for all, one renewal after a 401, which answers are
 * final and which are asked again; and what the instance learns of itself through it.
 */

#include "aws/imds.h"
#include "input/metadata.h"
#include "lib/fake-http.h"
#include "lib/test.h"
#include <errno.h>
#include <stdio.h>

typedef struct Fixture {
    sd_event *event;
    Http *http;
    FakeHttp *fake;
    Imds *imds;
    unsigned n_tokens;
    unsigned n_gets;
    FakeReply token;     /* to PUT, instead of a token, where a status or how is set */
    unsigned n_revoked;  /* tokens up to this are answered with 401 */
    FakeReply script[4]; /* to the k-th GET of a path not known otherwise; the last for ever */
    const char *missing; /* path answered with 404 */
} Fixture;

typedef struct Answer {
    ImdsGet *get;
    MetadataFetch *fetch;
    Metadata *metadata;
    bool done;
    int error;
    char text[1024];
    char body[256];
} Answer;

static const struct {
    const char *path, *body;
} keys[] = {
    {"/latest/dynamic/instance-identity/document",
     "{\"instanceId\":\"i-1\",\"instanceType\":\"m5.large\",\"availabilityZone\":\"eu-west-1a\","
     "\"region\":\"eu-west-1\",\"accountId\":\"123456789012\",\"billingProducts\":null}"},
    {"/latest/meta-data/mac", "02:00:00:00:00:0a"},
    {"/latest/meta-data/services/domain", "amazonaws.com"},
    {"/latest/user-data", "#!/bin/sh\n"},
    {"/latest/meta-data/network/interfaces/macs/02:00:00:00:00:0a/vpc-id", "vpc-1"},
};

static void serve_get(Fixture *fixture, const FakeRequest *request, FakeReply *reply)
{
    const char *token = fake_request_header(request, "X-aws-ec2-metadata-token");
    unsigned k = MIN(fixture->n_gets, 3u);

    assert_non_null(token);
    assert_memory_equal(token, "token-", 6);
    if ((unsigned)atoi(token + 6) <= fixture->n_revoked) {
        reply->status = 401;
        return;
    }
    if (fixture->missing && strstr(request->target, fixture->missing)) {
        reply->status = 404;
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (streq(keys[i].path, request->target)) {
            reply->body = keys[i].body;
            return;
        }
    fixture->n_gets++;
    *reply = fixture->script[k];
}

static void serve(const FakeRequest *request, FakeReply *reply, void *userdata)
{
    static char token[32];
    Fixture *fixture = userdata;

    if (!streq(request->method, "PUT")) {
        serve_get(fixture, request, reply);
        return;
    }
    fixture->n_tokens++;
    if (fixture->token.status || fixture->token.how || fixture->token.body) {
        *reply = fixture->token;
        return;
    }
    (void)snprintf(token, sizeof(token), "token-%u", fixture->n_tokens);
    reply->body = token;
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));
    char url[80];

    assert_true(sd_event_new(&fixture->event) >= 0);
    fixture->fake = fake_http_new(fixture->event, serve, fixture);
    assert_int_equal(http_new(&fixture->http, fixture->event, &(HttpOptions){.proxy = "http://127.0.0.1:1"}),
                     0);
    (void)snprintf(url, sizeof(url), "%s/", fake_http_url(fixture->fake)); /* the slash is forgiven */
    assert_int_equal(imds_new(&fixture->imds, fixture->event, fixture->http, url, USEC_PER_SEC), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    imds_free(fixture->imds);
    http_free(fixture->http);
    fake_http_free(fixture->fake);
    sd_event_unref(fixture->event);
    free(fixture);
    return 0;
}

static void on_answer(const ImdsReply *reply, void *userdata)
{
    Answer *answer = userdata;

    answer->get = imds_get_free(answer->get); /* the reply must outlive it */
    assert_false(answer->done);
    answer->done = true;
    answer->error = reply->error;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", reply->text);
    (void)snprintf(answer->body, sizeof(answer->body), "%s", reply->body);
}

static void get(Fixture *fixture, usec_t budget, Answer *answer)
{
    assert_int_equal(
        imds_get(fixture->imds, "meta-data/x", time_monotonic() + budget, on_answer, answer, &answer->get),
        0);
    assert_false(answer->done);
    fake_run_until(fixture->event, &answer->done);
}

static void test_token_is_shared(void **state)
{
    Fixture *fixture = *state;
    Answer answers[8] = {0}, later = {0};

    fixture->script[0] = fixture->script[3] = (FakeReply){.body = "value"};
    for (size_t i = 1; i < 3; i++)
        fixture->script[i] = fixture->script[0];
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        assert_int_equal(
            imds_get(fixture->imds, "meta-data/x", USEC_INFINITY, on_answer, &answers[i], &answers[i].get),
            0);
    answers[3].get = imds_get_free(answers[3].get);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (i == 3)
            continue;
        fake_run_until(fixture->event, &answers[i].done);
        assert_string_equal(answers[i].body, "value");
    }
    get(fixture, USEC_PER_SEC, &later);
    assert_false(answers[3].done);
    assert_int_equal(fixture->n_tokens, 1);
    assert_int_equal(fixture->n_gets, 8);
}

static void test_token_is_renewed_once(void **state)
{
    Fixture *fixture = *state;
    Answer first = {0}, revoked = {0}, hopeless = {0};

    fixture->script[0] = fixture->script[1] = (FakeReply){.body = "value"};
    get(fixture, USEC_PER_SEC, &first);
    fixture->n_revoked = 1;
    get(fixture, USEC_PER_SEC, &revoked);
    assert_int_equal(revoked.error, 0);
    assert_int_equal(fixture->n_tokens, 2);
    fixture->n_revoked = UINT32_MAX;
    get(fixture, 60 * USEC_PER_SEC, &hopeless);
    assert_int_equal(hopeless.error, -EACCES);
    assert_int_equal(fixture->n_tokens, 3);
}

static void test_final_answers(void **state)
{
    static const struct {
        FakeReply token, get;
        int error;
    } rows[] = {
        {{0}, {.status = 404}, -ENOENT},        {{0}, {.status = 403}, -EACCES},
        {{0}, {.status = 400}, -EPROTO},        {{.status = 403}, {0}, -EACCES},
        {{.status = 404}, {0}, -EPROTO}, /* no such service, not: no such key */
        {{.body = "bad\ntoken"}, {0}, -EPROTO}, {{.how = FAKE_HANG}, {0}, -ETIMEDOUT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        Fixture *fixture;
        Answer answer = {0};

        setup((void **)&fixture);
        fixture->token = rows[i].token;
        fixture->script[0] = rows[i].get;
        get(fixture, rows[i].error == -ETIMEDOUT ? 300 * USEC_PER_MSEC : 60 * USEC_PER_SEC, &answer);
        if (answer.error != rows[i].error)
            fail_msg("row %zu: %d %s", i, answer.error, answer.text);
        assert_true(answer.text[0]);
        teardown((void **)&fixture);
    }
}

static void test_retried(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0}, late = {0};

    fixture->script[0] = (FakeReply){.status = 500};
    fixture->script[1] = (FakeReply){.how = FAKE_HANG};
    fixture->script[2] = (FakeReply){.status = 429};
    fixture->script[3] = (FakeReply){.body = "value"};
    get(fixture, 60 * USEC_PER_SEC, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(fixture->n_gets, 4);

    fixture->script[3] = (FakeReply){.status = 503};
    get(fixture, USEC_PER_SEC, &late);
    assert_int_equal(late.error, -EIO);
    assert_non_null(strstr(late.text, "503"));
}

/* A try that the end of the time cuts short has no answer of its own: the one before it is told. */
static void test_cut_short(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0}, silent = {0};

    fixture->script[0] = (FakeReply){.status = 500};
    for (size_t i = 1; i < ARRAY_SIZE(fixture->script); i++)
        fixture->script[i] = (FakeReply){.how = FAKE_HANG};
    imds_free(fixture->imds);
    assert_int_equal(imds_new(&fixture->imds, fixture->event, fixture->http, fake_http_url(fixture->fake),
                              60 * USEC_PER_SEC),
                     0);
    get(fixture, 3 * USEC_PER_SEC, &answer);
    assert_int_equal(answer.error, -EIO);
    assert_non_null(strstr(answer.text, "500"));

    /* Nothing but hanging is told as such. */
    get(fixture, 300 * USEC_PER_MSEC, &silent);
    assert_int_equal(silent.error, -ETIMEDOUT);
}

static void on_metadata(int error, const char *text, Metadata *metadata_take, void *userdata)
{
    Answer *answer = userdata;

    answer->done = true;
    answer->error = error;
    answer->metadata = metadata_take;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", text);
    answer->fetch = metadata_fetch_free(answer->fetch);
}

static void fetch(Fixture *fixture, Answer *answer)
{
    assert_int_equal(metadata_fetch(fixture->imds, time_monotonic() + 5 * USEC_PER_SEC, on_metadata, answer,
                                    &answer->fetch),
                     0);
    fake_run_until(fixture->event, &answer->done);
}

static void test_metadata(void **state)
{
    char mac[MAC_ADDR_TEXT];
    Answer answer = {0};

    fetch(*state, &answer);
    assert_int_equal(answer.error, 0);
    assert_string_equal(answer.metadata->instance_id, "i-1");
    assert_string_equal(answer.metadata->instance_type, "m5.large");
    assert_string_equal(answer.metadata->availability_zone, "eu-west-1a");
    assert_string_equal(answer.metadata->region, "eu-west-1");
    assert_string_equal(answer.metadata->account_id, "123456789012");
    assert_string_equal(answer.metadata->domain, "amazonaws.com");
    assert_string_equal(answer.metadata->vpc_id, "vpc-1");
    assert_string_equal(answer.metadata->user_data, "#!/bin/sh\n");
    assert_string_equal(mac_addr_format(&answer.metadata->primary_mac, mac), "02:00:00:00:00:0a");
    metadata_free(answer.metadata);
}

/* Only the user data may be absent. */
static void test_metadata_missing(void **state)
{
    static const char *const needed[] = {"document", "meta-data/mac", "services/domain", "vpc-id"};
    Fixture *fixture = *state;
    Answer optional = {0};

    fixture->missing = "user-data";
    fetch(fixture, &optional);
    assert_int_equal(optional.error, 0);
    assert_null(optional.metadata->user_data);
    metadata_free(optional.metadata);

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        Answer answer = {0};

        fixture->missing = needed[i];
        fetch(fixture, &answer);
        assert_int_equal(answer.error, -ENOENT);
        assert_null(answer.metadata);
        assert_non_null(strstr(answer.text, needed[i]));
    }
}

static void test_identity(void **state)
{
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"instanceId\":5}",
        "{\"instanceId\":\"i "
        "1\",\"instanceType\":\"t\",\"availabilityZone\":\"a\",\"region\":\"r\",\"accountId\":\"1\"}",
        "{\"instanceId\":\"i\",\"instanceType\":\"t\",\"availabilityZone\":\"a\",\"region\":\"../"
        "r\",\"accountId\":\"1\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        Metadata *metadata = calloc(1, sizeof(*metadata));

        assert_int_equal(metadata_decode_identity(bad[i], strlen(bad[i]), metadata), -EBADMSG);
        metadata_free(metadata);
    }
}

int main(void)
{
#define TEST(_function) cmocka_unit_test_setup_teardown(_function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_token_is_shared),
        TEST(test_token_is_renewed_once),
        cmocka_unit_test(test_final_answers),
        TEST(test_retried),
        TEST(test_cut_short),
        TEST(test_metadata),
        TEST(test_metadata_missing),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
