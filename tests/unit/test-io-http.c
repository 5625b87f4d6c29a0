/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The HTTP client against a server on the same loop: what callers rely on is that a handler runs
 * once and never too early, that freeing cancels, and that every way a transfer can end badly has
 * its own error.
 */

#include "io/http.h"
#include "lib/fake-http.h"
#include "lib/test.h"
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLIES_MAX 64

typedef struct Fixture {
    sd_event *event;
    Http *http;
    FakeHttp *fake;
    const FakeReply *script; /* the k-th request gets the k-th, the last one for ever */
    size_t n_script;
    unsigned n_requests;
    unsigned n_connections;
    char last_headers[2048];
    char last_method[16];
    char last_body[256];
} Fixture;

typedef struct Answer {
    HttpSlot *slot;
    bool done;
    unsigned n_calls;
    int error;
    unsigned status;
    char body[256];
    size_t n_body;
    usec_t date;
    bool sent;
    bool free_in_handler;
    HttpSlot **free_other;
} Answer;

static void serve(const FakeRequest *request, FakeReply *reply, void *userdata)
{
    Fixture *fixture = userdata;
    size_t k = MIN((size_t)request->n, fixture->n_script);

    fixture->n_requests = request->n;
    fixture->n_connections = MAX(fixture->n_connections, request->connection);
    (void)snprintf(fixture->last_headers, sizeof(fixture->last_headers), "%s", request->headers);
    (void)snprintf(fixture->last_method, sizeof(fixture->last_method), "%s", request->method);
    (void)snprintf(fixture->last_body, sizeof(fixture->last_body), "%s", request->body);
    if (k > 0)
        *reply = fixture->script[k - 1];
}

static void on_answer(const HttpReply *reply, void *userdata)
{
    Answer *answer = userdata;

    if (answer->free_in_handler)
        answer->slot = http_slot_free(answer->slot); /* the reply must outlive it */
    if (answer->free_other)
        *answer->free_other = http_slot_free(*answer->free_other);
    answer->n_calls++;
    answer->error = reply->error;
    answer->status = reply->status;
    answer->n_body = reply->n_body;
    (void)snprintf(answer->body, sizeof(answer->body), "%s", reply->body);
    answer->date = reply->date;
    answer->sent = reply->sent;
    assert_true(reply->error == 0 || reply->text[0]);
    answer->done = true;
}

static int setup(void **state)
{
    static const HttpOptions options = {.user_agent = "test"};
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_int_equal(sd_event_new(&fixture->event) < 0, 0);
    fixture->fake = fake_http_new(fixture->event, serve, fixture);
    assert_int_equal(http_new(&fixture->http, fixture->event, &options), 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    http_free(fixture->http);
    fake_http_free(fixture->fake);
    sd_event_unref(fixture->event);
    free(fixture);
    return 0;
}

static void start(Fixture *fixture, const char *method, size_t max_reply, Answer *answer)
{
    HttpRequest request = {
        .method = method,
        .url = fake_http_url(fixture->fake),
        .body = streq(method, "POST") ? "a=b" : NULL,
        .n_body = streq(method, "POST") ? 3 : 0,
        .max_reply = max_reply,
        .timeout = 3 * USEC_PER_SEC,
        .direct = true,
    };

    assert_int_equal(http_perform(fixture->http, &request, on_answer, answer, &answer->slot), 0);
    assert_false(answer->done);
}

/* Start, wait, free. */
static void perform(Fixture *fixture, const char *method, size_t max_reply, Answer *answer)
{
    start(fixture, method, max_reply, answer);
    fake_run_until(fixture->event, &answer->done);
    answer->slot = http_slot_free(answer->slot);
    assert_int_equal(answer->n_calls, 1);
}

#define SCRIPT(_fixture, ...)                                                                                \
    const FakeReply script_[] = {__VA_ARGS__};                                                               \
    (_fixture)->script = script_;                                                                            \
    (_fixture)->n_script = ARRAY_SIZE(script_)

static void test_reply(void **state)
{
    Fixture *fixture = *state;
    Answer answer = {0};
    SCRIPT(fixture,
           {.status = 404, .body = "not here", .headers = "Date: Sat, 21 Nov 2026 10:55:00 GMT\r\n"});

    perform(fixture, "GET", 100, &answer);
    assert_int_equal(answer.error, 0);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.body, "not here");
    assert_int_equal(answer.date, 1795258500 * USEC_PER_SEC);
    assert_true(answer.sent);
    assert_string_equal(fixture->last_method, "GET");
    assert_non_null(strstr(fixture->last_headers, "User-Agent: test\r\n"));
}

static void test_methods(void **state)
{
    Fixture *fixture = *state;
    Answer post = {0}, put = {.free_in_handler = true};
    SCRIPT(fixture, {.body = "ok"});

    perform(fixture, "POST", 100, &post);
    assert_string_equal(fixture->last_method, "POST");
    assert_string_equal(fixture->last_body, "a=b");
    assert_null(strstr(fixture->last_headers, "Expect"));
    perform(fixture, "PUT", 100, &put);
    assert_string_equal(fixture->last_method, "PUT");
    assert_string_equal(put.body, "ok");
    assert_int_equal(fixture->n_connections, 1); /* kept alive */
}

/* Several may finish in one wake-up of libcurl: none may be left behind. */
static void test_many(void **state)
{
    Fixture *fixture = *state;
    Answer answers[20] = {0};
    SCRIPT(fixture, {.body = "ok"});

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        start(fixture, "GET", 100, &answers[i]);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        fake_run_until(fixture->event, &answers[i].done);
        assert_int_equal(answers[i].status, 200);
        answers[i].slot = http_slot_free(answers[i].slot);
    }
}

/* The second transfer proves that the loop ran past the first. */
static void test_cancel(void **state)
{
    Fixture *fixture = *state;
    Answer cancelled = {0}, other = {0};
    SCRIPT(fixture, {.body = "ok"});

    start(fixture, "GET", 100, &cancelled);
    start(fixture, "GET", 100, &other);
    cancelled.slot = http_slot_free(cancelled.slot);
    fake_run_until(fixture->event, &other.done);
    other.slot = http_slot_free(other.slot);
    assert_int_equal(cancelled.n_calls, 0);
}

/* Two finish together and the first handler frees the second: it must not be told. */
static void test_cancel_in_handler(void **state)
{
    Fixture *fixture = *state;
    Answer a = {0}, b = {0}, third = {0};
    SCRIPT(fixture, {.body = "ok"});

    start(fixture, "GET", 100, &a);
    start(fixture, "GET", 100, &b);
    a.free_other = &b.slot;
    b.free_other = &a.slot;
    while (!a.done && !b.done)
        assert_true(sd_event_run(fixture->event, UINT64_MAX) >= 0);
    perform(fixture, "GET", 100, &third);
    assert_int_equal(a.n_calls + b.n_calls, 1);
    a.slot = http_slot_free(a.slot);
    b.slot = http_slot_free(b.slot);
}

static void test_errors(void **state)
{
    static const struct {
        FakeReply reply;
        int error;
    } rows[] = {
        {{.body = "0123456789a"}, -EFBIG},
        {{.body = "0123456789"}, 0},
        {{.how = FAKE_CLOSE}, -ECONNRESET},
        {{.how = FAKE_RAW, .body = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"}, -ECONNRESET},
        {{.how = FAKE_RAW, .body = "220 mail.example.com ESMTP\r\n"}, -EPROTO},
        {{.status = 302, .headers = "Location: http://127.0.0.1:1/\r\n"}, 0}, /* not followed */
    };
    Fixture *fixture = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        Answer answer = {0};

        fixture->script = &rows[i].reply;
        fixture->n_script = 1;
        perform(fixture, "POST", 10, &answer);
        assert_int_equal(answer.error, rows[i].error);
        assert_true(answer.sent);
        assert_int_equal(answer.status > 0, rows[i].error == 0);
    }
}

static void test_timeout(void **state)
{
    Fixture *fixture = *state;
    HttpRequest request = {.method = "GET", .max_reply = 10, .timeout = 50 * USEC_PER_MSEC, .direct = true};
    Answer answer = {0};
    SCRIPT(fixture, {.how = FAKE_HANG});

    request.url = fake_http_url(fixture->fake);
    assert_int_equal(http_perform(fixture->http, &request, on_answer, &answer, &answer.slot), 0);
    fake_run_until(fixture->event, &answer.done);
    answer.slot = http_slot_free(answer.slot);
    assert_int_equal(answer.error, -ETIMEDOUT);
    assert_true(answer.sent);
}

/* libcurl's, too: a name server that does not answer. */
static sem_t may_answer, has_answered;

int getaddrinfo(const char *node _unused_, const char *service _unused_,
                const struct addrinfo *hints _unused_, struct addrinfo **ret _unused_)
{
    const struct timespec until = {.tv_sec = time(NULL) + 10};

    (void)sem_timedwait(&may_answer, &until);
    (void)sem_post(&has_answered);
    return EAI_AGAIN;
}

static unsigned n_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    unsigned n = 0;

    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory));)
        n += entry->d_name[0] != '.';
    assert_int_equal(closedir(directory), 0);
    return n;
}

/* A name that is not resolved keeps nobody, when its time is over or it is not wanted any more. */
static void test_dead_name_server(void **state)
{
    Fixture *fixture = *state;
    HttpRequest request = {.method = "GET",
                           .url = "http://ec2.test/",
                           .max_reply = 10,
                           .timeout = 50 * USEC_PER_MSEC,
                           .direct = true};
    Answer answer = {0}, unwanted = {0};
    int n = -1;

    assert_int_equal(sem_init(&may_answer, 0, 0), 0);
    assert_int_equal(sem_init(&has_answered, 0, 0), 0);
    assert_int_equal(http_perform(fixture->http, &request, on_answer, &answer, &answer.slot), 0);
    fake_run_until(fixture->event, &answer.done);
    answer.slot = http_slot_free(answer.slot);
    assert_int_equal(answer.error, -ETIMEDOUT);
    assert_false(answer.sent);

    request.timeout = USEC_PER_MINUTE;
    assert_int_equal(http_perform(fixture->http, &request, on_answer, &unwanted, &unwanted.slot), 0);
    assert_true(sd_event_run(fixture->event, 50 * USEC_PER_MSEC) >= 0);
    unwanted.slot = http_slot_free(unwanted.slot);
    assert_int_equal(sem_getvalue(&has_answered, &n), 0);
    assert_int_equal(n, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sem_post(&may_answer), 0);
    while (n_threads() > 1)
        assert_int_equal(usleep(1000), 0);
}

static void test_refused(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_address = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Fixture *fixture = *state;
    Answer answer = {0};
    char url[64];
    HttpRequest request = {
        .method = "GET", .url = url, .max_reply = 10, .timeout = USEC_PER_SEC, .direct = true};

    /* Bound but not listening: the port is nobody else's. */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n_address), 0);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(address.sin_port));
    assert_int_equal(http_perform(fixture->http, &request, on_answer, &answer, &answer.slot), 0);
    fake_run_until(fixture->event, &answer.done);
    answer.slot = http_slot_free(answer.slot);
    assert_int_equal(answer.error, -ECONNREFUSED);
    assert_false(answer.sent);
    (void)close(fd);
}

/*
 * A kept-alive connection that dies under a request: libcurl would send it again by itself. For a
 * POST the server must see it once and we must hear of it; a GET may be repeated.
 */
static void test_no_silent_repetition(void **state)
{
    Fixture *fixture = *state;
    Answer first = {0}, second = {0}, third = {0}, fourth = {0};
    SCRIPT(fixture, {.body = "ok"}, {.how = FAKE_CLOSE}, {.body = "ok"}, {.how = FAKE_CLOSE},
           {.body = "again"});

    perform(fixture, "POST", 100, &first);
    perform(fixture, "POST", 100, &second);
    assert_int_equal(second.error, -ECONNRESET);
    assert_true(second.sent);
    assert_int_equal(fixture->n_requests, 2);

    perform(fixture, "GET", 100, &third);
    perform(fixture, "GET", 100, &fourth);
    assert_int_equal(fourth.error, 0);
    assert_string_equal(fourth.body, "again");
}

static void test_unusable_url(void **state)
{
    static const char *const urls[] = {"", "169.254.169.254:bad", "ftp://127.0.0.1/", "file:///etc/passwd",
                                       "http://"};
    Fixture *fixture = *state;
    Answer answer = {0};

    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        HttpRequest request = {.method = "GET", .url = urls[i], .max_reply = 10, .timeout = USEC_PER_SEC};

        assert_int_equal(http_perform(fixture->http, &request, on_answer, &answer, &answer.slot), -EINVAL);
    }
}

int main(void)
{
#define TEST(_function) cmocka_unit_test_setup_teardown(_function, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_reply),        TEST(test_methods),          TEST(test_many),
        TEST(test_cancel),       TEST(test_errors),           TEST(test_cancel_in_handler),
        TEST(test_timeout),      TEST(test_refused),          TEST(test_no_silent_repetition),
        TEST(test_unusable_url), TEST(test_dead_name_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
