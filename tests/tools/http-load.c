/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A load of HTTP requests on unix sockets, to measure servers by.
 *
 *   http-load CONNECTIONS ROUNDS RATE SOCKET...
 *
 * Each line of stdin is a request: "METHOD TARGET [BODY]". The lines are dealt out to the connections in
 * runs, the first ones to the first, and so are the connections to the sockets. Once all are connected,
 * each sends its own lines in order, each when the one before was answered, all of them ROUNDS times, and
 * is closed.
 *
 * With a RATE of 0 a connection sends as soon as it was answered: as much as the server can take. Else
 * requests are due so many times a second, each connection in turn, and the time of each counts from when
 * it was due, not from when it could be sent: a server that stalls is not spared those that came meanwhile.
 *
 * On stdout, as JSON: how many were answered with which status, in how many seconds, from the first
 * request to the last answer; the times in microseconds, median, 99th percentile and worst; and the
 * seconds of CPU that it took to send them.
 */

#include "util/json.h"
#include <err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC ((uint64_t)1000000000)
#define HEAD_MAX     1024
#define EVENTS_MAX   64
#define STATUS_MAX   600

typedef struct Text {
    char *data;
    size_t n;
} Text;

typedef struct Peer {
    int fd;
    size_t first, n, next; /* of the requests, its own; the next one of them */
    size_t left;           /* to be sent */
    uint64_t due;          /* from when the request's time counts */
    bool busy;             /* sent, not answered */
    char head[HEAD_MAX];   /* of the answer, until it is whole */
    size_t n_head;
    size_t n_body; /* still to come */
} Peer;

typedef struct Load {
    int epoll;
    Peer *peers;
    size_t n_peers;
    Text *requests;
    size_t n_requests;
    size_t rounds, wanted, ended;
    uint64_t interval; /* between two requests of a peer; 0: as fast as it goes */
    uint64_t *times;
    size_t statuses[STATUS_MAX];
} Load;

static uint64_t now(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* ------------------------------------------------------------------ what is asked */

static Text request_of_line(char *line)
{
    char *target = strchr(line, ' '), *body;
    Text text;
    int n;

    if (!target)
        errx(1, "not a request: %s", line);
    *target++ = '\0';
    body = strchr(target, ' ');
    if (body)
        *body++ = '\0';
    else
        body = target + strlen(target);

    n = asprintf(&text.data, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", line,
                 target, strlen(body), body);
    if (n < 0)
        err(1, "asprintf");
    text.n = (size_t)n;
    return text;
}

static void load_read_requests(Load *load)
{
    _cleanup_(freep) char *line = NULL;
    size_t size = 0;
    ssize_t n;

    while ((n = getline(&line, &size, stdin)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = '\0';
        load->requests = reallocarray(load->requests, load->n_requests + 1, sizeof(*load->requests));
        if (!load->requests)
            err(1, "reallocarray");
        load->requests[load->n_requests++] = request_of_line(line);
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path))
        errx(1, "too long: %s", path);
    (void)strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        err(1, "%s", path);
    return fd;
}

static void load_connect(Load *load, char **sockets, size_t n_sockets)
{
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < load->n_peers; i++) {
        Peer *peer = &load->peers[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

        peer->first = i * load->n_requests / load->n_peers;
        peer->n = (i + 1) * load->n_requests / load->n_peers - peer->first;
        peer->left = peer->n * load->rounds;
        peer->fd = connect_to(sockets[i * n_sockets / load->n_peers]);
        if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0)
            err(1, "epoll_ctl");
    }
}

/* ------------------------------------------------------------------ asking */

static void peer_send(Load *load, Peer *peer)
{
    const Text *request = &load->requests[peer->first + peer->next];

    peer->next = (peer->next + 1) % peer->n;
    peer->busy = true;
    peer->left--;
    if (send(peer->fd, request->data, request->n, MSG_NOSIGNAL) != (ssize_t)request->n)
        err(1, "send");
}

/* Those that are due. Return: when the next one is. */
static uint64_t load_send(Load *load, uint64_t time)
{
    uint64_t earliest = UINT64_MAX;

    for (size_t i = 0; i < load->n_peers; i++) {
        Peer *peer = &load->peers[i];

        if (peer->busy || peer->left == 0)
            continue;
        if (peer->due <= time)
            peer_send(load, peer);
        else
            earliest = MIN(earliest, peer->due);
    }
    return earliest;
}

static void peer_answered(Load *load, Peer *peer)
{
    uint64_t time = now(CLOCK_MONOTONIC);

    load->times[load->ended++] = time - peer->due;
    peer->busy = false;
    peer->due = load->interval > 0 ? peer->due + load->interval : time;
    if (peer->left == 0)
        (void)close(peer->fd);
    else if (peer->due <= time)
        peer_send(load, peer);
}

/* The status and how long the body is. */
static void peer_read_head(Load *load, Peer *peer)
{
    const char *length;
    unsigned status;

    peer->head[peer->n_head] = '\0';
    length = strcasestr(peer->head, "\r\ncontent-length: ");
    if (sscanf(peer->head, "HTTP/1.1 %3u", &status) != 1 || status >= STATUS_MAX || !length)
        errx(1, "not an answer: %s", peer->head);
    load->statuses[status]++;
    peer->n_body = strtoul(length + strlen("\r\ncontent-length: "), NULL, 10);
    peer->n_head = 0;
}

static void peer_receive(Load *load, Peer *peer)
{
    static char buffer[256 * 1024];
    ssize_t n = recv(peer->fd, buffer, sizeof(buffer), 0);
    const char *data = buffer;
    size_t left = (size_t)n;

    if (n < 0)
        err(1, "recv");
    if (n == 0)
        errx(1, "closed by the server");
    while (left > 0 && peer->n_body == 0) {
        if (peer->n_head == HEAD_MAX - 1)
            errx(1, "the head of an answer is too long");
        peer->head[peer->n_head++] = *data++;
        left--;
        if (peer->n_head < 4 || memcmp(peer->head + peer->n_head - 4, "\r\n\r\n", 4) != 0)
            continue;
        peer_read_head(load, peer);
        if (peer->n_body == 0 && left == 0)
            peer_answered(load, peer);
        break;
    }
    if (left > peer->n_body)
        errx(1, "more than was asked for");
    if (left == 0)
        return;
    peer->n_body -= left;
    if (peer->n_body == 0)
        peer_answered(load, peer);
}

static void load_run(Load *load)
{
    struct epoll_event events[EVENTS_MAX];

    while (load->ended < load->wanted) {
        uint64_t time = now(CLOCK_MONOTONIC), next = load_send(load, time);
        struct timespec timeout = {.tv_sec = (time_t)((next - time) / NSEC_PER_SEC),
                                   .tv_nsec = (long)((next - time) % NSEC_PER_SEC)};
        int n = epoll_pwait2(load->epoll, events, EVENTS_MAX, next < UINT64_MAX ? &timeout : NULL, NULL);

        if (n < 0)
            err(1, "epoll_pwait2");
        for (int i = 0; i < n; i++)
            peer_receive(load, events[i].data.ptr);
    }
}

/* ------------------------------------------------------------------ what came of it */

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* In microseconds; the times are sorted. */
static double load_percentile(const Load *load, size_t percent)
{
    size_t i = MIN(load->ended * percent / 100, load->ended - 1);

    return (double)load->times[i] / 1000;
}

static void load_report(Load *load, uint64_t elapsed)
{
    json_t *statuses = json_object(), *document;
    char status[8];

    for (unsigned i = 0; i < STATUS_MAX; i++) {
        if (load->statuses[i] == 0)
            continue;
        (void)snprintf(status, sizeof(status), "%u", i);
        (void)json_object_set_new(statuses, status, json_integer((json_int_t)load->statuses[i]));
    }
    qsort(load->times, load->ended, sizeof(*load->times), compare);
    document = json_pack(
        "{s:o, s:f, s:f, s:f, s:f, s:f}", "statuses", statuses, "seconds", (double)elapsed / NSEC_PER_SEC,
        "cpu", (double)now(CLOCK_PROCESS_CPUTIME_ID) / NSEC_PER_SEC, "median", load_percentile(load, 50),
        "p99", load_percentile(load, 99), "worst", load_percentile(load, 100));
    (void)json_dumpf(document, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(document);
}

int main(int argc, char **argv)
{
    Load load = {0};
    uint64_t begin, rate;

    if (argc < 5)
        errx(2, "usage: http-load CONNECTIONS ROUNDS RATE SOCKET... <LINES");
    load.n_peers = strtoul(argv[1], NULL, 10);
    load.rounds = strtoul(argv[2], NULL, 10);
    rate = strtoul(argv[3], NULL, 10);
    load_read_requests(&load);
    load.wanted = load.n_requests * load.rounds;
    if (load.n_peers == 0 || load.wanted == 0 || load.n_requests < load.n_peers)
        errx(2, "no connections, no requests, or fewer lines than connections");
    load.peers = calloc(load.n_peers, sizeof(*load.peers));
    load.times = calloc(load.wanted, sizeof(*load.times));
    if (!load.peers || !load.times)
        err(1, "calloc");
    load_connect(&load, argv + 4, (size_t)argc - 4);
    (void)prctl(PR_SET_TIMERSLACK, 1UL);

    begin = now(CLOCK_MONOTONIC);
    load.interval = rate > 0 ? load.n_peers * NSEC_PER_SEC / rate : 0;
    for (size_t i = 0; i < load.n_peers; i++)
        load.peers[i].due = begin + i * load.interval / load.n_peers;
    load_run(&load);
    load_report(&load, now(CLOCK_MONOTONIC) - begin);
    return 0;
}
