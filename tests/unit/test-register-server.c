/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The server with real peers on a real socket and loop. A peer is a blocking socket of the test, and
 * the loop is run until a condition holds; a condition that never comes true fails at LOOP_LIMIT.
 */

#include "lib/test.h"
#include "register/server.h"
#include "util/buf.h"
#include "util/macro.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOP_LIMIT (5 * USEC_PER_SEC)

typedef struct Context {
    sd_event *event;
    Server *server;
    struct sockaddr_un address;
    socklen_t n_address;
    int fd_listen;
    Request *kept; /* of the asynchronous route */
    unsigned n_handled, n_vanished;
    char seen[128];
} Context;

static json_t *status(void *userdata)
{
    (void)userdata;
    return json_pack("{s:s, s:b}", "phase", "starting", "ready", 0);
}

static void handle_echo(Request *request, void *userdata)
{
    const char *owner = request_query(request, "owner");
    Context *context = userdata;
    json_t *body = NULL;
    char message[256];

    context->n_handled++;
    (void)snprintf(context->seen, sizeof(context->seen), "%s %s", request_parameter(request), owner ?: "-");
    if (request_body(request, &body, message) < 0) {
        request_refuse(request, &(ProtocolError){.status = 400, .code = "malformed", .message = message});
        return;
    }
    request_answer(request, 200, body);
}

static void on_vanished(Request *request, void *userdata)
{
    Context *context = userdata;

    assert_ptr_equal(context->kept, request);
    context->n_vanished++;
}

static void handle_later(Request *request, void *userdata)
{
    Context *context = userdata;

    context->n_handled++;
    context->kept = request;
    request_on_vanished(request, on_vanished, context);
}

static void handle_metrics(Request *request, void *userdata)
{
    (void)userdata;
    request_answer_text(request, 200, "text/plain; version=0.0.4", strdup("up 1\n"));
}

static const Route routes[] = {
    {"PUT", "/v1/echo/{ip}", handle_echo, false},
    {"DELETE", "/v1/echo/{ip}", handle_echo, false},
    {"POST", "/v1/later", handle_later, false},
    {"GET", "/metrics", handle_metrics, true},
};

static void start(Context *context, ServerOptions options)
{
    struct sockaddr_un *address = &context->address;

    *context = (Context){.address.sun_family = AF_UNIX};
    assert_int_equal(sd_event_new(&context->event), 0);

    /* An empty name: the kernel chooses an abstract one. */
    context->fd_listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(context->fd_listen >= 0);
    assert_int_equal(bind(context->fd_listen, (struct sockaddr *)address, sizeof(sa_family_t)), 0);
    context->n_address = sizeof(*address);
    assert_int_equal(getsockname(context->fd_listen, (struct sockaddr *)address, &context->n_address), 0);
    assert_int_equal(listen(context->fd_listen, 1024), 0);

    options.group = options.group == PEER_GROUP_NONE ? getgid() : options.group;
    options.status = status;
    options.routes = routes;
    options.n_routes = ARRAY_SIZE(routes);
    options.userdata = context;
    assert_int_equal(server_new(&context->server, context->event, context->fd_listen, &options), 0);
}

static void stop(Context *context)
{
    context->server = server_free(context->server);
    assert_int_equal(fcntl(context->fd_listen, F_GETFD), -1); /* ours to give, the server's to close */
    sd_event_unref(context->event);
}

static int peer_open(const Context *context)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&context->address, context->n_address), 0);
    return fd;
}

static void peer_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void turn(const Context *context)
{
    assert_true(sd_event_run(context->event, 20 * USEC_PER_MSEC) >= 0);
}

#define RUN_UNTIL(_context, _condition)                                                                      \
    do {                                                                                                     \
        usec_t _limit = time_monotonic() + LOOP_LIMIT;                                                       \
        while (!(_condition)) {                                                                              \
            turn(_context);                                                                                  \
            assert_true(time_monotonic() < _limit);                                                          \
        }                                                                                                    \
    } while (0)

/* Read until the whole answer is there or the server closed. Returns its status, 0 when closed without. */
static unsigned peer_receive(const Context *context, int fd, char *text, size_t n_text)
{
    usec_t limit = time_monotonic() + LOOP_LIMIT;
    size_t n = 0;

    text[0] = '\0';
    for (;;) {
        const char *body = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
        ssize_t r;

        if (body && length && strlen(body + 4) >= strtoul(length + 16, NULL, 10))
            break;
        turn(context);
        assert_true(time_monotonic() < limit);
        r = recv(fd, text + n, n_text - n - 1, MSG_DONTWAIT);
        if (r == 0 || (r < 0 && errno == ECONNRESET))
            break;
        if (r > 0)
            n += (size_t)r;
        text[n] = '\0';
    }
    return n > 9 ? (unsigned)strtoul(text + 9, NULL, 10) : 0;
}

static unsigned ask(const Context *context, const char *request, char *text, size_t n_text)
{
    unsigned code;
    int fd = peer_open(context);

    peer_send(fd, request);
    code = peer_receive(context, fd, text, n_text);
    (void)close(fd);
    return code;
}

static void test_status_and_errors(void **state)
{
    static const struct {
        const char *request;
        unsigned status;
        const char *contains;
    } rows[] = {
        {"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 200, "{\"phase\":\"starting\",\"ready\":false}"},
        {"GET /v1/status HTTP/1.0\r\n\r\n", 200, "Content-Type: application/json"},
        {"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200, "\r\n\r\nup 1\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404, "{\"error\":{\"code\":\"not_found\",\"message\":"},
        {"GET /v1/status/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"not_found\""},
        {"GET /v1/echo/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"not_found\""},
        {"GET /v1/echo/a/b HTTP/1.1\r\nHost: x\r\n\r\n", 404, "\"not_found\""},
        {"POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, "Allow: GET"},
        {"GET /v1/echo/1 HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow: PUT, DELETE"},
        {"PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", 413, "\"too_large\""},
        {"GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, ""},
        {"nonsense\r\n\r\n", 0, ""},
    };
    char text[4096];
    Context context;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(ask(&context, rows[i].request, text, sizeof(text)), rows[i].status);
        assert_non_null(strstr(text, rows[i].contains));
    }
    RUN_UNTIL(&context, server_n_connections(context.server) == 0);
    stop(&context);
}

static void test_body(void **state)
{
    static const struct {
        const char *body;
        unsigned status;
        const char *contains;
    } rows[] = {
        {"{\"a\":1}", 200, "{\"a\":1}"},        {"", 400, "\"malformed\""},
        {"[]", 400, "not a JSON object"},       {"{\"a\":1} x", 400, "not JSON"},
        {"{\"a\":1,\"a\":2}", 400, "not JSON"},
    };
    char request[512], text[4096];
    Context context;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)snprintf(
            request, sizeof(request),
            "PUT /v1/echo/10.0.0.%%35?owner=a%%2Fb HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
            strlen(rows[i].body), rows[i].body);
        assert_int_equal(ask(&context, request, text, sizeof(text)), rows[i].status);
        assert_non_null(strstr(text, rows[i].contains));
        assert_string_equal(context.seen, "10.0.0.5 a/b");
    }
    stop(&context);
}

/* A chunked body has no length that could be looked at beforehand. */
/* An encoded zero byte would end the address, the key or the value before its time. */
static void test_zero_byte(void **state)
{
    static const struct {
        const char *target;
        unsigned status;
        const char *seen;
    } rows[] = {
        {"10.0.0.1%00.example", 400, ""}, {"%00", 400, ""},   {"1?owner=a%00b", 400, ""},
        {"1?own%00er=a", 400, ""},        {"1?%00", 400, ""}, {"1%2500?owner=%30%30", 200, "1%00 00"},
    };
    char request[512], text[4096];
    Context context;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)snprintf(request, sizeof(request),
                       "PUT /v1/echo/%s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", rows[i].target);
        assert_int_equal(ask(&context, request, text, sizeof(text)), rows[i].status);
        assert_string_equal(context.seen, rows[i].seen);
    }
    stop(&context);
}

static void test_body_limit_chunked(void **state)
{
    char chunk[4096 + 16], text[4096];
    Context context;
    int fd, n;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    fd = peer_open(&context);
    peer_send(fd, "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    n = snprintf(chunk, sizeof(chunk), "1000\r\n%4096s\r\n", "");
    for (int i = 0; i < 17; i++) {
        assert_int_equal(send(fd, chunk, (size_t)n, MSG_NOSIGNAL), n);
        turn(&context);
    }
    peer_send(fd, "0\r\n\r\n");
    assert_int_equal(peer_receive(&context, fd, text, sizeof(text)), 413);
    assert_int_equal(context.n_handled, 0);
    (void)close(fd);
    stop(&context);
}

static void test_keep_alive(void **state)
{
    char text[4096];
    Context context;
    int fd;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    fd = peer_open(&context);
    for (int i = 0; i < 3; i++) {
        peer_send(fd, "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
        assert_int_equal(peer_receive(&context, fd, text, sizeof(text)), 200);
    }
    assert_int_equal(server_n_connections(context.server), 1);
    (void)close(fd);
    stop(&context);
}

static void test_answered_later(void **state)
{
    char text[4096];
    Context context;
    int fd;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    fd = peer_open(&context);
    for (int i = 0; i < 2; i++) {
        peer_send(fd, "POST /v1/later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
        RUN_UNTIL(&context, context.kept);
        request_answer(TAKE_PTR(context.kept), 200, json_pack("{s:i}", "i", i));
        assert_int_equal(peer_receive(&context, fd, text, sizeof(text)), 200);
        assert_non_null(strstr(text, i == 0 ? "{\"i\":0}" : "{\"i\":1}"));
    }
    (void)close(fd);
    stop(&context);
}

/* A peer that gives up is noticed, and the request is the handler's to end all the same. */
static void test_peer_vanishes(void **state)
{
    Context context;
    int fd;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    fd = peer_open(&context);
    peer_send(fd, "POST /v1/later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    RUN_UNTIL(&context, context.kept);
    (void)close(fd);
    RUN_UNTIL(&context, context.n_vanished == 1);
    RUN_UNTIL(&context, server_n_connections(context.server) == 0);
    request_answer(TAKE_PTR(context.kept), 200, json_object());
    stop(&context);
}

/* shutdown(SHUT_WR) is not the end: such a peer still reads. */
static void test_half_closed_peer_is_answered(void **state)
{
    char text[4096];
    Context context;
    int fd;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    fd = peer_open(&context);
    peer_send(fd, "POST /v1/later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    RUN_UNTIL(&context, context.kept);
    for (int i = 0; i < 3; i++)
        turn(&context);
    assert_int_equal(context.n_vanished, 0);
    request_answer(TAKE_PTR(context.kept), 200, json_object());
    assert_int_equal(peer_receive(&context, fd, text, sizeof(text)), 200);
    (void)close(fd);
    stop(&context);
}

/* It is told from a boot that failed: asking again helps. */
static void assert_stopping(int fd)
{
    char text[1024] = "";

    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 503 "));
    assert_non_null(strstr(text, "\"code\":\"stopping\""));
    assert_non_null(strstr(text, "Retry-After: 1\r\n"));
    assert_non_null(strstr(text, "Connection: close\r\n"));
}

static void test_free_with_requests(void **state)
{
    Context context;
    int fd[3];

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    fd[0] = peer_open(&context);
    peer_send(fd[0], "POST /v1/later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    RUN_UNTIL(&context, context.kept);
    server_set_mode(context.server, SERVER_MODE_HOLD);
    fd[1] = peer_open(&context);
    peer_send(fd[1], "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    fd[2] = peer_open(&context);
    peer_send(fd[2], "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Le");
    RUN_UNTIL(&context, server_n_connections(context.server) == 3);
    for (int i = 0; i < 3; i++)
        turn(&context);

    stop(&context);
    assert_int_equal(context.n_vanished, 1);
    request_answer(TAKE_PTR(context.kept), 200, json_object());
    assert_stopping(fd[1]);
    for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
        (void)close(fd[i]);
}

/* What has come and was not looked at yet is handled by nobody: what handlers work on is freed before. */
static void test_free_with_requests_unread(void **state)
{
    static const char *const requests[] = {
        "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "POST /v1/later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "DELETE /v1/echo/1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    int fds[ARRAY_SIZE(requests)];
    Context context;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    server_set_mode(context.server, SERVER_MODE_READY);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        fds[i] = peer_open(&context);
        peer_send(fds[i], requests[i]);
    }
    /* libmicrohttpd accepts in one turn and reads in the next. */
    RUN_UNTIL(&context, server_n_connections(context.server) > 0);
    stop(&context);
    assert_int_equal(context.n_handled, 0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        assert_stopping(fds[i]);
        (void)close(fds[i]);
    }
}

static void test_held_until_ready(void **state)
{
    char text[4096];
    Context context;
    int fd, fd_gone;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    fd = peer_open(&context);
    peer_send(fd, "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    fd_gone = peer_open(&context);
    peer_send(fd_gone, "PUT /v1/echo/2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    RUN_UNTIL(&context, server_n_connections(context.server) == 2);
    assert_int_equal(ask(&context, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text)), 200);
    assert_int_equal(context.n_handled, 0);

    (void)close(fd_gone);
    RUN_UNTIL(&context, server_n_connections(context.server) == 1);
    server_set_mode(context.server, SERVER_MODE_READY);
    assert_int_equal(peer_receive(&context, fd, text, sizeof(text)), 200);
    assert_int_equal(context.n_handled, 1);
    (void)close(fd);
    stop(&context);
}

static void test_held_then_refused(void **state)
{
    char text[4096];
    Context context;
    int fd;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    fd = peer_open(&context);
    peer_send(fd, "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    RUN_UNTIL(&context, server_n_connections(context.server) == 1);
    for (int i = 0; i < 3; i++)
        turn(&context);
    server_set_mode(context.server, SERVER_MODE_REFUSE);
    assert_int_equal(peer_receive(&context, fd, text, sizeof(text)), 503);
    assert_non_null(strstr(text, "Retry-After: 1"));
    assert_non_null(strstr(text, "\"not_ready\""));
    assert_int_equal(context.n_handled, 0);
    (void)close(fd);
    stop(&context);
}

static void test_connection_limit(void **state)
{
    char text[4096];
    Context context;
    int fd[3];

    (void)state;
    start(&context, (ServerOptions){.group = PEER_GROUP_NONE, .max_connections = 2});
    for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
        fd[i] = peer_open(&context);
    RUN_UNTIL(&context, server_n_connections(context.server) == 3);

    peer_send(fd[2], "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(peer_receive(&context, fd[2], text, sizeof(text)), 503);
    assert_non_null(strstr(text, "Connection: close"));
    peer_send(fd[0], "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(peer_receive(&context, fd[0], text, sizeof(text)), 200);

    (void)close(fd[0]);
    RUN_UNTIL(&context, server_n_connections(context.server) == 1);
    assert_int_equal(ask(&context, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text)), 200);
    (void)close(fd[1]);
    (void)close(fd[2]);
    stop(&context);
}

/* As many as libmicrohttpd takes, gone in one turn: the next one is heard all the same. */
static void test_all_gone_at_once(void **state)
{
    enum { N = 2 + 32 };
    char text[4096];
    Context context;
    int fd[N];

    (void)state;
    start(&context, (ServerOptions){.group = PEER_GROUP_NONE, .max_connections = 2});
    for (size_t i = 0; i < N; i++)
        fd[i] = peer_open(&context);
    RUN_UNTIL(&context, server_n_connections(context.server) == N);
    for (size_t i = 0; i < N; i++)
        (void)close(fd[i]);
    RUN_UNTIL(&context, server_n_connections(context.server) == 0);
    assert_int_equal(ask(&context, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text)), 200);
    stop(&context);
}

/* A peer that sends a byte now and then is as slow as one that sends none. */
static void test_slow_peer(void **state)
{
    static const char request[] =
        "GET /v1/status HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    usec_t begin = time_monotonic();
    Context context;
    int fd;

    (void)state;
    start(&context, (ServerOptions){.group = PEER_GROUP_NONE, .timeout = 300 * USEC_PER_MSEC});
    fd = peer_open(&context);
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        if (send(fd, request + i, 1, MSG_NOSIGNAL) < 0)
            break;
        turn(&context);
    }
    RUN_UNTIL(&context, server_n_connections(context.server) == 0);
    assert_true(time_monotonic() - begin >= 300 * USEC_PER_MSEC);
    assert_true(time_monotonic() - begin < 1500 * USEC_PER_MSEC);
    (void)close(fd);
    stop(&context);
}

/* The time that a handler takes is not the peer's slowness. */
static void test_waiting_peer_is_not_slow(void **state)
{
    char text[4096];
    Context context;
    usec_t begin;
    int fd;

    (void)state;
    start(&context, (ServerOptions){.group = PEER_GROUP_NONE, .timeout = 100 * USEC_PER_MSEC});
    server_set_mode(context.server, SERVER_MODE_READY);
    fd = peer_open(&context);
    peer_send(fd, "POST /v1/later HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    RUN_UNTIL(&context, context.kept);
    begin = time_monotonic();
    RUN_UNTIL(&context, time_monotonic() - begin > 500 * USEC_PER_MSEC);
    assert_int_equal(context.n_vanished, 0);
    request_answer(TAKE_PTR(context.kept), 200, json_object());
    assert_int_equal(peer_receive(&context, fd, text, sizeof(text)), 200);
    (void)close(fd);
    stop(&context);
}

/* Nothing may wake the loop when nobody asks: neither at first, nor with a held peer, nor afterwards. */
static void test_idle(void **state)
{
    char text[4096];
    Context context;
    int fd;

    (void)state;
    start(&context, SERVER_OPTIONS_NULL);
    assert_int_equal(ask(&context, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", text, sizeof(text)), 200);
    fd = peer_open(&context);
    peer_send(fd, "PUT /v1/echo/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
    while (sd_event_run(context.event, 100 * USEC_PER_MSEC) > 0) {
    }
    assert_int_equal(sd_event_run(context.event, 500 * USEC_PER_MSEC), 0);
    (void)close(fd);
    stop(&context);
}

/* In a child that is nobody, with these groups: does the server let it in? */
static unsigned ask_as_nobody(const Context *context, gid_t gid, const gid_t *groups, size_t n_groups)
{
    char text[4096];
    unsigned code;
    pid_t pid;
    int fd[2], wait_status;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int peer;

        if (setgroups(n_groups, groups) < 0 || setgid(gid) < 0 || setuid(65534) < 0)
            _exit(1);
        peer = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(peer, (const struct sockaddr *)&context->address, context->n_address) < 0 ||
            dup2(peer, STDIN_FILENO) < 0 || write(fd[1], "x", 1) != 1 || read(fd[1], text, 1) < 0)
            _exit(1);
        /* The answer is read by the child, whose socket it is, and sent back over the pair. */
        if (write(peer, "GET /v1/status HTTP/1.0\r\n\r\n", 27) != 27)
            _exit(1);
        for (ssize_t n; (n = read(peer, text, sizeof(text))) > 0;)
            if (write(fd[1], text, (size_t)n) != n)
                _exit(1);
        _exit(0);
    }

    (void)close(fd[1]);
    assert_int_equal(read(fd[0], text, 1), 1);
    assert_int_equal(write(fd[0], "x", 1), 1);
    code = peer_receive(context, fd[0], text, sizeof(text));
    (void)close(fd[0]);
    assert_int_equal(waitpid(pid, &wait_status, 0), pid);
    return code;
}

static void test_peer_credentials(void **state)
{
    const gid_t groups[] = {4711, 4712};
    Context context;

    (void)state;
    if (getuid() != 0)
        skip();
    start(&context, (ServerOptions){.group = 4712});
    assert_int_equal(ask_as_nobody(&context, 65534, NULL, 0), 403);
    assert_int_equal(ask_as_nobody(&context, 4712, NULL, 0), 200);
    assert_int_equal(ask_as_nobody(&context, 65534, groups, 1), 403);
    assert_int_equal(ask_as_nobody(&context, 65534, groups, 2), 200);
    stop(&context);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_and_errors),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_zero_byte),
        cmocka_unit_test(test_body_limit_chunked),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_answered_later),
        cmocka_unit_test(test_peer_vanishes),
        cmocka_unit_test(test_half_closed_peer_is_answered),
        cmocka_unit_test(test_free_with_requests),
        cmocka_unit_test(test_free_with_requests_unread),
        cmocka_unit_test(test_held_until_ready),
        cmocka_unit_test(test_held_then_refused),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_all_gone_at_once),
        cmocka_unit_test(test_slow_peer),
        cmocka_unit_test(test_waiting_peer_is_not_slow),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_peer_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
