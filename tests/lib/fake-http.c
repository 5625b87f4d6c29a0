/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An HTTP server for tests. It lives on the loop of the code under test, so that a test is one
 * process and one thread, and there is no port to wait for: it listens before the test goes on.
 * It understands what our client sends and no more: Content-Length bodies, keep-alive.
 */

#include "lib/fake-http.h"
#include "lib/test.h"
#include "util/buf.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_USEC ((uint64_t)5 * 1000 * 1000)

typedef struct Connection Connection;

struct Connection {
    FakeHttp *fake;
    Connection *next;
    unsigned n;
    int fd;
    sd_event_source *source;
    Buf in;
    Buf out;
    size_t n_sent;
    bool close_when_sent;
};

struct FakeHttp {
    sd_event *event;
    int fd;
    sd_event_source *source;
    char url[64];
    unsigned n_requests;
    unsigned n_connections;
    Connection *connections;
    FakeHttpHandler handler;
    void *userdata;
};

static void connection_free(Connection *connection)
{
    for (Connection **p = &connection->fake->connections; *p; p = &(*p)->next)
        if (*p == connection) {
            *p = connection->next;
            break;
        }
    (void)sd_event_source_disable_unref(connection->source);
    (void)close(connection->fd);
    buf_done(&connection->in);
    buf_done(&connection->out);
    free(connection);
}

/* Whether the connection is still there. */
static bool connection_write(Connection *connection)
{
    while (connection->n_sent < connection->out.n) {
        ssize_t n = send(connection->fd, connection->out.data + connection->n_sent,
                         connection->out.n - connection->n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN) {
            assert_true(sd_event_source_set_io_events(connection->source, EPOLLIN | EPOLLOUT) >= 0);
            return true;
        }
        if (n < 0) {
            connection_free(connection);
            return false;
        }
        connection->n_sent += (size_t)n;
    }
    buf_reset(&connection->out);
    connection->n_sent = 0;
    if (connection->close_when_sent) {
        connection_free(connection);
        return false;
    }
    assert_true(sd_event_source_set_io_events(connection->source, EPOLLIN) >= 0);
    return true;
}

static bool connection_reply(Connection *connection, const FakeReply *reply)
{
    const char *body = reply->body ? reply->body : "";
    size_t n = reply->n_body > 0 ? reply->n_body : strlen(body);

    switch (reply->how) {
    case FAKE_HANG: return true;
    case FAKE_CLOSE: connection_free(connection); return false;
    case FAKE_RAW: connection->close_when_sent = true; break;
    case FAKE_REPLY:
        assert_int_equal(buf_printf(&connection->out, "HTTP/1.1 %u Fake\r\nContent-Length: %zu\r\n%s\r\n",
                                    reply->status ? reply->status : 200, n,
                                    reply->headers ? reply->headers : ""),
                         0);
        break;
    }
    assert_int_equal(buf_append(&connection->out, body, n), 0);
    return connection_write(connection);
}

const char *fake_request_header(const FakeRequest *request, const char *name)
{
    static char value[4096];
    size_t n_name = strlen(name);

    for (const char *line = request->headers; line && *line; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, name, n_name) == 0 && line[n_name] == ':') {
            const char *start = line + n_name + 1 + strspn(line + n_name + 1, " ");

            (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(start, "\r"), start);
            return value;
        }
    return NULL;
}

/* The first whole request in connection->in; false when there is none (yet), or no connection. */
static bool connection_serve(Connection *connection)
{
    char method[16], target[256];
    char *end, *headers;
    const char *length;
    FakeRequest request;
    FakeReply reply = {0};
    size_t n_head, n_body;
    bool alive;

    end = connection->in.data ? strstr(connection->in.data, "\r\n\r\n") : NULL;
    if (!end)
        return false;
    n_head = (size_t)(end + 4 - connection->in.data);
    assert_int_equal(sscanf(connection->in.data, "%15s %255s HTTP/1.1", method, target), 2);

    headers = strndup(strstr(connection->in.data, "\r\n") + 2,
                      n_head - 4 - (size_t)(strstr(connection->in.data, "\r\n") - connection->in.data));
    request = (FakeRequest){.method = method, .target = target, .headers = headers};
    length = fake_request_header(&request, "content-length");
    n_body = length ? strtoul(length, NULL, 10) : 0;
    if (connection->in.n < n_head + n_body) {
        free(headers);
        return false;
    }

    request.body = strndup(connection->in.data + n_head, n_body);
    request.n_body = n_body;
    request.n = ++connection->fake->n_requests;
    request.connection = connection->n;
    memmove(connection->in.data, connection->in.data + n_head + n_body,
            connection->in.n - n_head - n_body + 1);
    connection->in.n -= n_head + n_body;

    connection->fake->handler(&request, &reply, connection->fake->userdata);
    alive = connection_reply(connection, &reply);
    free(headers);
    free((char *)request.body);
    return alive;
}

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Connection *connection = userdata;
    char data[4096];
    ssize_t n;

    (void)source;
    if (revents & EPOLLOUT && !connection_write(connection))
        return 0;
    if (!(revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return 0;
    n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0) {
        connection_free(connection);
        return 0;
    }
    assert_int_equal(buf_append(&connection->in, data, (size_t)n), 0);
    while (connection_serve(connection))
        ;
    return 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    FakeHttp *fake = userdata;
    Connection *connection;

    (void)source;
    (void)revents;
    connection = calloc(1, sizeof(*connection));
    assert_non_null(connection);
    connection->fake = fake;
    connection->n = ++fake->n_connections;
    connection->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(connection->fd >= 0);
    connection->next = fake->connections;
    fake->connections = connection;
    assert_true(sd_event_add_io(fake->event, &connection->source, connection->fd, EPOLLIN, on_connection,
                                connection) >= 0);
    return 0;
}

FakeHttp *fake_http_new(sd_event *event, FakeHttpHandler handler, void *userdata)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n_address = sizeof(address);
    FakeHttp *fake;

    fake = calloc(1, sizeof(*fake));
    assert_non_null(fake);
    fake->event = sd_event_ref(event);
    fake->handler = handler;
    fake->userdata = userdata;
    fake->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fake->fd >= 0);
    assert_int_equal(bind(fake->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fake->fd, 64), 0);
    assert_int_equal(getsockname(fake->fd, (struct sockaddr *)&address, &n_address), 0);
    (void)snprintf(fake->url, sizeof(fake->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
    assert_true(sd_event_add_io(event, &fake->source, fake->fd, EPOLLIN, on_accept, fake) >= 0);
    return fake;
}

FakeHttp *fake_http_free(FakeHttp *fake)
{
    if (!fake)
        return NULL;

    while (fake->connections)
        connection_free(fake->connections);
    (void)sd_event_source_disable_unref(fake->source);
    (void)close(fake->fd);
    (void)sd_event_unref(fake->event);
    return mfree(fake);
}

const char *fake_http_url(const FakeHttp *fake)
{
    return fake->url;
}

void fake_run_until(sd_event *event, const bool *done)
{
    while (!*done) {
        int r = sd_event_run(event, TURN_USEC);

        assert_true(r >= 0);
        if (r == 0)
            fail_msg("nothing happened for five seconds");
    }
}
