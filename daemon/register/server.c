/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The HTTP server: libmicrohttpd speaks HTTP, this file decides who may ask, how much, for how long,
 * and which handler a request goes to.
 *
 * libmicrohttpd runs on our loop in its epoll mode without threads: its one epoll descriptor is an
 * sd-event source, however many peers there are. Its external mode with select() sets would have to be
 * built anew on every turn and ends at descriptor 1023. Its own connection timeout is off, since it counts
 * from the last byte: a peer that sends one byte every few seconds would stay for ever. Each connection
 * has a deadline of ours instead, for a whole request and for a whole answer, and is ended with
 * shutdown(), which libmicrohttpd sees as the peer closing. So it never asks for a timer, and an idle
 * server has nothing to wake up for.
 *
 * A connection has at most one request at a time. When its handler does not answer at once the
 * connection is suspended; libmicrohttpd then looks away from the socket, so that a peer that gives up
 * would go unnoticed: while suspended, the socket is also watched by the loop, for EPOLLHUP alone (a
 * peer that only closed its sending half still waits for the answer).
 *
 * At libmicrohttpd's connection limit further peers would hang in the backlog without a word. Its limit
 * is therefore EXCESS_CONNECTIONS above ours, and those in between get their 503 and are closed.
 */

#include "register/server.h"
#include "util/log.h"
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT         (10 * USEC_PER_SEC)
#define DEFAULT_MAX_CONNECTIONS 512U
#define EXCESS_CONNECTIONS      32U
/* A request's line and headers must fit in it. The default of 32 KiB would be 16 MiB for all peers. */
#define CONNECTION_MEMORY ((size_t)8 * 1024)
#define RETRY_AFTER       "1"

typedef struct Connection Connection;

struct Connection {
    Server *server;
    struct MHD_Connection *mhd;
    int fd; /* libmicrohttpd's */
    Peer peer;
    bool allowed;
    bool excess;    /* beyond max_connections */
    bool suspended; /* libmicrohttpd looks away until the answer is there */
    bool too_large; /* the body is beyond the limit and being thrown away */
    bool cut;       /* its line has a %00, behind which nobody would see anything */
    sd_event_source *deadline;
    sd_event_source *watch;        /* NULL until suspended for the first time */
    Request *request;              /* NULL between requests and once answered */
    struct MHD_Response *response; /* answered, to be queued when libmicrohttpd calls next */
    unsigned status;
    Connection *previous, *next;
};

struct Server {
    sd_event *event;
    struct MHD_Daemon *mhd;
    ServerOptions options;
    ServerMode mode;
    sd_event_source *source_epoll;
    sd_event_source *source_again; /* libmicrohttpd has work left that no descriptor will tell of */
    Connection *first, *last;      /* in the order they were accepted */
    unsigned n_connections;
    bool stopping; /* nothing is handled any more, for those who could are being freed */
};

static void handle_status(Request *request, void *userdata)
{
    Server *server = userdata;

    request_answer(request, 200, server->options.status(server->options.userdata));
}

static const Route status_route = {"GET", "/v1/status", handle_status, .early = true};

/* HEAD is a GET whose body libmicrohttpd leaves out. */
static bool method_matches(const Route *route, const char *method)
{
    return streq(route->method, method) || (streq(method, "HEAD") && streq(route->method, "GET"));
}

/* The route, or NULL with *ret_allow: "" for a path that is nowhere, else the methods that it has. */
static const Route *find_route(const Server *server, const char *method, const char *path,
                               const char **ret_parameter, char *ret_allow, size_t n_allow)
{
    ret_allow[0] = '\0';
    for (size_t i = 0; i <= server->options.n_routes; i++) {
        const Route *route = i == 0 ? &status_route : &server->options.routes[i - 1];
        const char *parameter;
        size_t n = strlen(ret_allow);

        if (!protocol_match(route->pattern, path, &parameter))
            continue;
        if (method_matches(route, method)) {
            *ret_parameter = parameter;
            return route;
        }
        (void)snprintf(ret_allow + n, n_allow - n, "%s%s", n > 0 ? ", " : "", route->method);
    }
    return NULL;
}

static void deadline_arm(Connection *connection)
{
    Server *server = connection->server;
    uint64_t now;

    if (sd_event_now(server->event, CLOCK_MONOTONIC, &now) < 0)
        now = time_monotonic();
    (void)sd_event_source_set_time(connection->deadline, time_add(now, server->options.timeout));
    (void)sd_event_source_set_enabled(connection->deadline, SD_EVENT_ONESHOT);
}

static void deadline_disarm(Connection *connection)
{
    (void)sd_event_source_set_enabled(connection->deadline, SD_EVENT_OFF);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    Connection *connection = userdata;

    (void)source;
    (void)usec;
    log_debug("peer with pid %d timed out", (int)connection->peer.pid);
    (void)shutdown(connection->fd, SHUT_RDWR);
    return 0;
}

/* Without a thread of its own libmicrohttpd is not woken by a resumed connection: take a turn. */
static void connection_resume(Connection *connection)
{
    connection->suspended = false;
    if (connection->watch)
        (void)sd_event_source_set_enabled(connection->watch, SD_EVENT_OFF);
    MHD_resume_connection(connection->mhd);
    (void)sd_event_source_set_enabled(connection->server->source_again, SD_EVENT_ONESHOT);
}

/* The peer closed the socket while its request was held or with a handler. */
static int on_hangup(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Connection *connection = userdata;

    (void)source;
    (void)fd;
    (void)events;
    log_debug("peer with pid %d is gone before its answer", (int)connection->peer.pid);
    if (connection->request)
        request_detach(TAKE_PTR(connection->request));
    connection_resume(connection);
    return 0;
}

static void connection_suspend(Connection *connection)
{
    int r;

    if (!connection->watch) {
        r = sd_event_add_io(connection->server->event, &connection->watch, connection->fd, EPOLLHUP,
                            on_hangup, connection);
        if (r < 0) /* then it is answered into the void, as when the peer goes a moment later */
            log_debug_errno(r, "cannot watch a waiting peer: %m");
        else
            (void)sd_event_source_set_description(connection->watch, "server-peer-hangup");
    } else {
        (void)sd_event_source_set_enabled(connection->watch, SD_EVENT_ON);
    }

    deadline_disarm(connection);
    connection->suspended = true;
    MHD_suspend_connection(connection->mhd);
}

/* Takes the answer's text. NULL when out of memory: the connection is then closed without an answer. */
static struct MHD_Response *response_new(Answer *answer)
{
    static char empty[] = ""; /* libmicrohttpd's parameter lacks the const that it keeps to */
    struct MHD_Response *response;

    response = MHD_create_response_from_buffer(answer->n, answer->text ? answer->text : empty,
                                               answer->text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!response) {
        answer_done(answer);
        return NULL;
    }

    (void)MHD_add_response_header(response, "Content-Type", answer->content_type);
    if (answer->status == 503 || answer->status == 429)
        (void)MHD_add_response_header(response, "Retry-After", RETRY_AFTER);
    return response;
}

static enum MHD_Result connection_queue(Connection *connection, struct MHD_Response *response,
                                        unsigned status)
{
    enum MHD_Result result;

    if (connection->excess || connection->server->stopping)
        (void)MHD_add_response_header(response, "Connection", "close");
    result = MHD_queue_response(connection->mhd, status, response);
    MHD_destroy_response(response); /* libmicrohttpd holds a reference of its own */
    deadline_arm(connection);
    return result;
}

/* NULL: there was no memory for it when it was accepted. */
static Connection *find_connection(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* Answer without a handler. */
static enum MHD_Result connection_refuse(Connection *connection, unsigned status, const char *code,
                                         const char *message, const char *allow)
{
    const ProtocolError error = {.status = status, .code = code, .message = message};
    struct MHD_Response *response;
    Answer answer;

    if (answer_from_json(&answer, status, protocol_error(&error)) < 0)
        return MHD_NO;
    response = response_new(&answer);
    if (!response)
        return MHD_NO;
    if (allow)
        (void)MHD_add_response_header(response, "Allow", allow);
    return connection_queue(connection, response, answer.status);
}

/* RequestAnswered */
static void on_answered(Request *request, Answer *answer, void *userdata)
{
    Connection *connection = userdata;

    assert(connection->request == request);
    (void)request;
    connection->request = NULL;
    connection->status = answer->status;
    connection->response = response_new(answer);
    if (connection->suspended)
        connection_resume(connection);
}

static enum MHD_Result add_query(void *userdata, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    return request_add_query(userdata, key, value) < 0 ? MHD_NO : MHD_YES;
}

static bool is_too_large(struct MHD_Connection *mhd)
{
    const char *text = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length");

    /* libmicrohttpd has refused already what is not a number. */
    return text && strtoull(text, NULL, 10) > PROTOCOL_BODY_MAX;
}

/* libmicrohttpd decodes the path and each key and value of the query with it. */
static size_t on_unescape(void *userdata, struct MHD_Connection *mhd, char *text)
{
    Connection *connection = find_connection(mhd);

    (void)userdata;
    if (connection && strstr(text, "%00"))
        connection->cut = true;
    return MHD_http_unescape(text);
}

/* The request's line and headers are there, its body is not. */
static enum MHD_Result connection_begin(Connection *connection, const char *method, const char *path)
{
    const Server *server = connection->server;
    const char *parameter;
    const Route *route;
    bool cut = connection->cut;
    char allow[64];
    int n;

    connection->cut = false;
    if (connection->excess)
        return connection_refuse(connection, 503, "too_many_connections", "too many connections", NULL);
    if (!connection->allowed)
        return connection_refuse(connection, 403, "forbidden",
                                 "only root and members of the socket's group may ask", NULL);
    if (cut)
        return connection_refuse(connection, 400, "bad_request", "the request's line has a %00", NULL);

    route = find_route(server, method, path, &parameter, allow, sizeof(allow));
    if (!route && allow[0] == '\0')
        return connection_refuse(connection, 404, "not_found", "there is nothing at this path", NULL);
    if (!route)
        return connection_refuse(connection, 405, "method_not_allowed",
                                 "this path does not have this method; the Allow header names those it has",
                                 allow);
    if (is_too_large(connection->mhd))
        return connection_refuse(connection, 413, "too_large", "a body may have 65536 bytes", NULL);

    connection->too_large = false;
    if (request_new(&connection->request, route, parameter, &connection->peer, on_answered, connection) < 0)
        return MHD_NO;
    n = MHD_get_connection_values(connection->mhd, MHD_GET_ARGUMENT_KIND, NULL, NULL);
    if (n > 0 &&
        MHD_get_connection_values(connection->mhd, MHD_GET_ARGUMENT_KIND, add_query, connection->request) < n)
        return MHD_NO;
    deadline_arm(connection);
    return MHD_YES;
}

/*
 * libmicrohttpd takes an answer before the body or after it, not in between: a chunked body that
 * proves too large is read to its end, as long as the deadline lets it, and thrown away.
 */
static enum MHD_Result connection_receive(Connection *connection, const char *data, size_t n)
{
    int r;

    if (!connection->request)
        return MHD_NO;
    if (connection->too_large)
        return MHD_YES;

    r = request_receive(connection->request, data, n);
    if (r == -EMSGSIZE)
        connection->too_large = true;
    return r < 0 && r != -EMSGSIZE ? MHD_NO : MHD_YES;
}

static enum MHD_Result connection_finish(Connection *connection)
{
    struct MHD_Response *response = TAKE_PTR(connection->response);

    return response ? connection_queue(connection, response, connection->status) : MHD_NO;
}

/* Hand a whole request to its handler. The status document is the server's own affair. */
static void connection_handle(Connection *connection)
{
    Server *server = connection->server;
    bool own = request_route(connection->request) == &status_route;

    request_handle(connection->request, own ? server : server->options.userdata);
}

/* The body is whole. */
static enum MHD_Result connection_dispatch(Connection *connection)
{
    Server *server = connection->server;
    bool early = request_route(connection->request)->early;

    if (connection->too_large)
        return connection_refuse(connection, 413, "too_large", "a body may have 65536 bytes", NULL);
    /* As opposed to "not_ready" asking again helps: it is the next daemon that answers. */
    if (server->stopping)
        return connection_refuse(connection, 503, "stopping", "the daemon is stopping", NULL);
    if (!early && server->mode == SERVER_MODE_REFUSE)
        return connection_refuse(connection, 503, "not_ready", "this node's interfaces are not ready", NULL);
    if (!early && server->mode == SERVER_MODE_HOLD) {
        if (request_state(connection->request) != REQUEST_STATE_HELD)
            request_hold(connection->request);
        connection_suspend(connection);
        return MHD_YES;
    }

    connection_handle(connection);
    if (!connection->request)
        return connection_finish(connection);
    connection_suspend(connection);
    return MHD_YES;
}

/*
 * libmicrohttpd calls with each piece of a request: first without *state, then with the body's pieces,
 * then with none left, and there again after a suspended connection was resumed.
 */
static enum MHD_Result on_request(void *userdata, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data, size_t *n_data,
                                  void **state)
{
    Connection *connection = find_connection(mhd);
    enum MHD_Result result;

    (void)userdata;
    (void)version;
    if (!connection)
        return MHD_NO;

    if (!*state) {
        *state = connection;
        return connection_begin(connection, method, url);
    }
    if (*n_data > 0) {
        result = connection_receive(connection, data, *n_data);
        *n_data = 0;
        return result;
    }
    if (connection->response || !connection->request)
        return connection_finish(connection);
    return connection_dispatch(connection);
}

/* A request is over, answered or not; the connection may have another one. */
static void on_completed(void *userdata, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode code)
{
    Connection *connection = *state;

    (void)userdata;
    (void)mhd;
    (void)code;
    if (!connection)
        return;
    if (connection->request)
        request_detach(TAKE_PTR(connection->request));
    if (connection->response)
        MHD_destroy_response(TAKE_PTR(connection->response));
    *state = NULL;
    deadline_arm(connection);
}

static Connection *connection_free(Connection *connection)
{
    Server *server = connection->server;

    *(connection->previous ? &connection->previous->next : &server->first) = connection->next;
    *(connection->next ? &connection->next->previous : &server->last) = connection->previous;
    server->n_connections--;

    if (connection->request)
        request_detach(TAKE_PTR(connection->request));
    (void)sd_event_source_disable_unref(connection->deadline);
    (void)sd_event_source_disable_unref(connection->watch);
    free(connection);
    return NULL;
}

static Connection *connection_new(Server *server, struct MHD_Connection *mhd, int fd)
{
    Connection *connection = calloc(1, sizeof(*connection));
    int r;

    if (!connection)
        return NULL;
    connection->server = server;
    connection->mhd = mhd;
    connection->fd = fd;
    connection->previous = server->last;
    *(server->last ? &server->last->next : &server->first) = connection;
    server->last = connection;
    connection->excess = server->n_connections++ >= server->options.max_connections;

    r = peer_from_socket(fd, server->options.group, &connection->peer);
    if (r < 0)
        log_debug_errno(r, "cannot tell who connected: %m");
    connection->allowed = r == 0 && peer_is_allowed(&connection->peer);

    r = sd_event_add_time_relative(server->event, &connection->deadline, CLOCK_MONOTONIC,
                                   server->options.timeout, 0, on_deadline, connection);
    if (r < 0)
        return connection_free(connection);
    (void)sd_event_source_set_description(connection->deadline, "server-peer-deadline");
    return connection;
}

static void on_connection(void *userdata, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    const union MHD_ConnectionInfo *info;
    Server *server = userdata;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        /*
         * At its limit libmicrohttpd no longer waits for peers, and begins again at the start of a turn that
         * finds room: without one more turn it would stay deaf when the last of them all close in this one.
         */
        (void)sd_event_source_set_enabled(server->source_again, SD_EVENT_ONESHOT);
        if (*context)
            *context = connection_free(*context);
        return;
    }
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        *context = connection_new(server, mhd, info->connect_fd);
}

/*
 * One turn of libmicrohttpd. It asks for a timeout of zero when a connection can go on without news
 * from a descriptor; it never asks for a longer one, since its own timeouts are off.
 */
static void server_run(Server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    (void)MHD_run(server->mhd);
    if (MHD_get_timeout(server->mhd, &timeout) == MHD_YES && timeout == 0)
        (void)sd_event_source_set_enabled(server->source_again, SD_EVENT_ONESHOT);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    server_run(userdata);
    return 0;
}

static int on_again(sd_event_source *source, void *userdata)
{
    (void)source;
    server_run(userdata);
    return 0;
}

static int server_start(Server *server, int fd)
{
    const union MHD_DaemonInfo *info;
    int r;

    /* A peer that gave up between the wake-up and accept() must not block the loop. */
    r = fcntl(fd, F_GETFL);
    if (r < 0 || fcntl(fd, F_SETFL, r | O_NONBLOCK) < 0)
        return -errno;

    server->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_CONNECTION_LIMIT, server->options.max_connections + EXCESS_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 0U,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        server, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_END);
    if (!server->mhd)
        return -EIO;

    info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return -EIO;
    r = sd_event_add_io(server->event, &server->source_epoll, info->epoll_fd, EPOLLIN, on_epoll, server);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(server->source_epoll, "server");

    r = sd_event_add_defer(server->event, &server->source_again, on_again, server);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(server->source_again, "server-again");
    return sd_event_source_set_enabled(server->source_again, SD_EVENT_OFF);
}

int server_new(Server **ret, sd_event *event, int fd, const ServerOptions *options)
{
    _cleanup_(server_freep) Server *server = calloc(1, sizeof(*server));
    int r;

    assert(options->status);
    if (!server) {
        (void)close(fd);
        return -ENOMEM;
    }
    server->event = sd_event_ref(event);
    server->options = *options;
    if (server->options.timeout == 0)
        server->options.timeout = DEFAULT_TIMEOUT;
    if (server->options.max_connections == 0)
        server->options.max_connections = DEFAULT_MAX_CONNECTIONS;

    r = server_start(server, fd);
    if (r < 0) {
        if (!server->mhd) /* else libmicrohttpd has it */
            (void)close(fd);
        return r;
    }

    *ret = TAKE_PTR(server);
    return 0;
}

/*
 * libmicrohttpd must not be stopped while a connection is suspended, and answers that are there go out.
 * With them it takes in what has come meanwhile; that, and what was held, is refused.
 */
static void server_stop(Server *server)
{
    server->stopping = true;
    for (Connection *connection = server->first; connection; connection = connection->next) {
        if (connection->request && request_state(connection->request) == REQUEST_STATE_HANDLED)
            request_detach(TAKE_PTR(connection->request));
        if (connection->suspended)
            connection_resume(connection);
    }
    (void)MHD_run(server->mhd);
    MHD_stop_daemon(server->mhd); /* closes the listening socket, too */
}

Server *server_free(Server *server)
{
    if (!server)
        return NULL;
    if (server->mhd)
        server_stop(server);
    (void)sd_event_source_disable_unref(server->source_epoll);
    (void)sd_event_source_disable_unref(server->source_again);
    (void)sd_event_unref(server->event);
    free(server);
    return NULL;
}

void server_set_mode(Server *server, ServerMode mode)
{
    server->mode = mode;
    if (mode == SERVER_MODE_HOLD)
        return;

    for (Connection *connection = server->first; connection; connection = connection->next) {
        if (!connection->request || request_state(connection->request) != REQUEST_STATE_HELD)
            continue;
        if (mode == SERVER_MODE_READY) {
            connection_handle(connection);
        } else {
            /* Resumed without an answer, it comes by connection_dispatch() again, which refuses. */
            connection_resume(connection);
        }
    }
}

unsigned server_n_connections(const Server *server)
{
    return server->n_connections;
}
