/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The least that an HTTP server on libmicrohttpd does: what the daemon's own is compared with.
 *
 *   http-null SOCKET [N]
 *
 * It answers every request with 200 and a body of N bytes, and does nothing else. libmicrohttpd is run as
 * the daemon runs it: in its epoll mode on an sd-event loop, without threads, a body read to its end.
 * It says "ready" on stdout when it is, and ends when stdin does.
 */

#include <err.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

typedef struct Null {
    struct MHD_Daemon *mhd;
    struct MHD_Response *response;
} Null;

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *n_data,
                                  void **state)
{
    const Null *null = userdata;

    (void)url;
    (void)method;
    (void)version;
    (void)data;
    if (!*state) {
        *state = connection;
        return MHD_YES;
    }
    if (*n_data > 0) {
        *n_data = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, 200, null->response);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    const Null *null = userdata;
    MHD_UNSIGNED_LONG_LONG timeout;

    (void)source;
    (void)fd;
    (void)events;
    do
        (void)MHD_run(null->mhd);
    while (MHD_get_timeout(null->mhd, &timeout) == MHD_YES && timeout == 0);
    return 0;
}

static int on_stdin(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)fd;
    (void)events;
    (void)userdata;
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof(address.sun_path))
        errx(1, "too long: %s", path);
    (void)strcpy(address.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 512) < 0)
        err(1, "%s", path);
    return fd;
}

int main(int argc, char **argv)
{
    sd_event *event;
    Null null;
    size_t n;
    char *body;

    if (argc < 2 || argc > 3)
        errx(2, "usage: http-null SOCKET [N]");
    n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    body = malloc(n + 1);
    if (!body)
        err(1, "malloc");
    memset(body, 'x', n);
    null.response = MHD_create_response_from_buffer(n, body, MHD_RESPMEM_PERSISTENT);
    null.mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, &null,
                                MHD_OPTION_LISTEN_SOCKET, listen_at(argv[1]), MHD_OPTION_CONNECTION_LIMIT,
                                544U, MHD_OPTION_CONNECTION_TIMEOUT, 0U, MHD_OPTION_END);
    if (!null.mhd || sd_event_default(&event) < 0 ||
        sd_event_add_io(event, NULL, MHD_get_daemon_info(null.mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                        EPOLLIN, on_epoll, &null) < 0 ||
        sd_event_add_io(event, NULL, 0, EPOLLIN, on_stdin, &null) < 0)
        errx(1, "cannot start");
    (void)puts("ready");
    (void)fflush(stdout);
    return sd_event_loop(event) < 0;
}
