/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The role's credentials: decoding, sharing one fetch, renewing before the end, and a clock that
 * makes every key look old.
 */

#include "aws/credentials.h"
#include "lib/fake-http.h"
#include "lib/test.h"
#include <errno.h>
#include <stdio.h>

#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"

typedef struct Fixture {
    sd_event *event;
    Http *http;
    FakeHttp *fake;
    Imds *imds;
    Credentials *credentials;
    const char *role; /* NULL: none */
    char json[512];
    usec_t lifetime;
    unsigned n_roles;
    unsigned n_keys;
    bool hang;
} Fixture;

typedef struct Answer {
    CredentialsWait *wait;
    bool done;
    int error;
    char text[512];
    char access_key_id[64];
} Answer;

static void serve_keys(Fixture *fixture, FakeReply *reply)
{
    char expiration[TIME_ISO8601_MAX];

    (void)time_format_iso8601(time_realtime() + fixture->lifetime, expiration);
    (void)snprintf(
        fixture->json, sizeof(fixture->json),
        "{\"Code\":\"Success\",\"AccessKeyId\":\"AKID%u\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
        "\"Expiration\":\"%s\"}",
        ++fixture->n_keys, expiration);
    reply->body = fixture->json;
}

static void serve(const FakeRequest *request, FakeReply *reply, void *userdata)
{
    Fixture *fixture = userdata;

    if (streq(request->method, "PUT")) {
        reply->body = "token";
    } else if (fixture->hang) {
        reply->how = FAKE_HANG;
    } else if (!fixture->role) {
        reply->status = 404;
    } else if (streq(request->target, ROLE_PATH)) {
        fixture->n_roles++;
        reply->body = fixture->role;
    } else if (streq(request->target + strlen(ROLE_PATH), fixture->role)) {
        serve_keys(fixture, reply);
    } else {
        reply->status = 404;
    }
}

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->role = "node-role";
    fixture->lifetime = USEC_PER_HOUR;
    assert_true(sd_event_new(&fixture->event) >= 0);
    fixture->fake = fake_http_new(fixture->event, serve, fixture);
    assert_int_equal(http_new(&fixture->http, fixture->event, &(HttpOptions){.proxy = NULL}), 0);
    assert_int_equal(
        imds_new(&fixture->imds, fixture->event, fixture->http, fake_http_url(fixture->fake), USEC_PER_SEC),
        0);
    assert_int_equal(credentials_new(&fixture->credentials, fixture->event, fixture->imds), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    credentials_free(fixture->credentials);
    imds_free(fixture->imds);
    http_free(fixture->http);
    fake_http_free(fixture->fake);
    sd_event_unref(fixture->event);
    free(fixture);
    return 0;
}

static void on_answer(int error, const char *text, const AwsKeys *keys, void *userdata)
{
    Answer *answer = userdata;

    answer->wait = credentials_wait_free(answer->wait);
    assert_false(answer->done);
    answer->done = true;
    answer->error = error;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", text);
    (void)snprintf(answer->access_key_id, sizeof(answer->access_key_id), "%s",
                   keys ? keys->access_key_id : "");
}

static void start(Fixture *fixture, usec_t budget, Answer *answer)
{
    assert_int_equal(
        credentials_get(fixture->credentials, time_monotonic() + budget, on_answer, answer, &answer->wait),
        0);
    assert_false(answer->done);
}

static Answer get(Fixture *fixture, usec_t budget)
{
    Answer answer = {0};

    start(fixture, budget, &answer);
    fake_run_until(fixture->event, &answer.done);
    return answer;
}

static void test_shared_and_kept(void **state)
{
    Fixture *fixture = *state;
    Answer answers[5] = {0};

    assert_null(credentials_role(fixture->credentials));
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        start(fixture, USEC_PER_SEC, &answers[i]);
    answers[2].wait = credentials_wait_free(answers[2].wait);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        if (i != 2)
            fake_run_until(fixture->event, &answers[i].done);
    assert_false(answers[2].done);
    assert_string_equal(answers[4].access_key_id, "AKID1");
    assert_string_equal(credentials_role(fixture->credentials), "node-role");
    assert_string_equal(get(fixture, USEC_PER_SEC).access_key_id, "AKID1");

    credentials_invalidate(fixture->credentials);
    assert_string_equal(get(fixture, USEC_PER_SEC).access_key_id, "AKID2");
    assert_int_equal(fixture->n_roles, 1);
}

/* Less than five minutes left, as a wrong clock would have it too: used, and not asked again at once. */
static void test_old_keys(void **state)
{
    Fixture *fixture = *state;

    fixture->lifetime = 4 * USEC_PER_MINUTE;
    assert_string_equal(get(fixture, USEC_PER_SEC).access_key_id, "AKID1");
    assert_string_equal(get(fixture, USEC_PER_SEC).access_key_id, "AKID1");
}

static void test_role_changes(void **state)
{
    Fixture *fixture = *state;
    Answer answer;

    (void)get(fixture, USEC_PER_SEC);
    fixture->role = "other-role";
    credentials_invalidate(fixture->credentials);
    assert_string_equal(get(fixture, USEC_PER_SEC).access_key_id, "AKID2");
    assert_string_equal(credentials_role(fixture->credentials), "other-role");

    fixture->role = NULL;
    credentials_invalidate(fixture->credentials);
    answer = get(fixture, USEC_PER_SEC);
    assert_int_equal(answer.error, -ENOENT);
    assert_non_null(strstr(answer.text, "instance profile"));
}

static void test_deadline(void **state)
{
    Fixture *fixture = *state;
    Answer soon = {0}, late = {0};

    fixture->hang = true;
    start(fixture, 10 * USEC_PER_SEC, &late);
    start(fixture, 100 * USEC_PER_MSEC, &soon);
    fake_run_until(fixture->event, &soon.done);
    assert_int_equal(soon.error, -ETIMEDOUT);
    assert_false(late.done);
    late.wait = credentials_wait_free(late.wait);
}

static void test_bad_role(void **state)
{
    Fixture *fixture = *state;

    fixture->role = "../../dynamic";
    assert_int_equal(get(fixture, USEC_PER_SEC).error, -EBADMSG);
}

static void test_decode(void **state)
{
#define JSON(_code, _id, _end)                                                                               \
    "{" _code "\"AccessKeyId\":\"" _id "\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"" _end \
    "\"}"
    static const struct {
        const char *json;
        int r;
    } rows[] = {
        {JSON("\"Code\":\"Success\",", "A", "2026-11-21T10:55:00Z"), 0},
        {JSON("", "A", "2026-11-21T10:55:00Z"), 0},
        {JSON("\"Code\":\"AssumeRoleUnauthorizedAccess\",", "A", "2026-11-21T10:55:00Z"), -EACCES},
        {"{\"Code\":\"AssumeRoleUnauthorizedAccess\"}", -EACCES},
        {JSON("", "", "2026-11-21T10:55:00Z"), -EBADMSG},
        {JSON("", "A\\r\\nX: y", "2026-11-21T10:55:00Z"), -EBADMSG},
        {JSON("", "A", "tomorrow"), -EBADMSG},
        {"{}", -EBADMSG},
        {"[]", -EBADMSG},
        {"", -EBADMSG},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AwsKeys keys = {0};

        assert_int_equal(credentials_decode(rows[i].json, strlen(rows[i].json), &keys), rows[i].r);
        if (rows[i].r == 0)
            assert_int_equal(keys.expiration, 1795258500 * USEC_PER_SEC);
        aws_keys_done(&keys);
    }
}

int main(void)
{
#define TEST(_function) cmocka_unit_test_setup_teardown(_function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_shared_and_kept), TEST(test_old_keys), TEST(test_role_changes),
        TEST(test_deadline),        TEST(test_bad_role), cmocka_unit_test(test_decode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
