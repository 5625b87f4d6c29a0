/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libcurl's multi interface bound to an sd-event loop.
 *
 * libcurl tells which sockets to watch and when to wake it; both become event sources, and whatever
 * they report is handed to curl_multi_socket_action(). Nothing here blocks, and nothing wakes up
 * while no transfer is under way.
 *
 * Finished transfers are read from libcurl until none is left (a wake-up may finish several), put
 * in a queue, and their handlers are called from a deferred source, one a turn, as the last thing
 * that turn does. So a handler may start a transfer, free its own slot or another's, or free the
 * client, and never runs inside http_perform() or inside libcurl.
 *
 * libcurl repeats a request by itself when a kept-alive connection turns out to be closed. For a
 * POST that would be a blind repetition of something the server may have done: it is refused in
 * on_prerequest(), and reported as a lost reply.
 */

#include "io/http.h"
#include "util/buf.h"
#include "util/log.h"
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

/* Every interface of a node is created at once: connections for all of them are worth keeping. */
#define HTTP_CONNECTIONS_MAX 32

struct Http {
    sd_event *event;
    CURLM *multi;
    CURLSH *share;             /* TLS sessions, which libcurl would keep for each transfer alone */
    sd_event_source *timer;    /* libcurl's one time-out */
    sd_event_source *deferred; /* runs while there is a finished slot */
    char *ca_file;
    const char *ca_directory; /* static; NULL: ca_file, or the bundle that libcurl was built for */
    char *proxy;
    char *user_agent;
    size_t n_slots;
    HttpSlot *finished; /* in the order they finished */
    bool global;        /* curl_global_init() was called */
};

typedef enum SlotState {
    SLOT_NEW,
    SLOT_RUNNING,  /* libcurl has it */
    SLOT_FINISHED, /* in Http.finished */
    SLOT_DONE,     /* the handler was called */
} SlotState;

struct HttpSlot {
    Http *http;
    SlotState state;
    CURL *easy;
    struct curl_slist *headers;
    HttpSlot *next; /* in Http.finished */
    Buf body;
    size_t max_reply;
    bool too_long;
    bool may_repeat; /* GET and PUT: libcurl may send them again on a new connection */
    bool sent;
    bool repeat_refused;
    CURLcode result;
    usec_t date;
    usec_t started;
    char error[CURL_ERROR_SIZE];
    HttpHandler handler;
    void *userdata;
};

/* ------------------------------------------------------------------ finished transfers */

static void finished_append(Http *http, HttpSlot *slot)
{
    HttpSlot **last;

    for (last = &http->finished; *last; last = &(*last)->next)
        ;
    *last = slot;
    slot->state = SLOT_FINISHED;
}

static void finished_remove(Http *http, HttpSlot *slot)
{
    for (HttpSlot **p = &http->finished; *p; p = &(*p)->next)
        if (*p == slot) {
            *p = slot->next;
            slot->next = NULL;
            return;
        }
}

static void http_read_finished(Http *http)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(http->multi, &n_left))) {
        HttpSlot *slot = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&slot);
        slot->result = message->data.result;
        (void)curl_multi_remove_handle(http->multi, slot->easy); /* message is gone now */
        finished_append(http, slot);
    }
    if (http->finished)
        (void)sd_event_source_set_enabled(http->deferred, SD_EVENT_ONESHOT);
}

/* A handshake that failed for the network's sake shows up as a TLS error too; errno tells. */
static int error_of_handshake(CURL *easy)
{
    long os_errno = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    return os_errno != 0 ? -ECONNRESET : -EKEYREJECTED;
}

static int slot_error(const HttpSlot *slot)
{
    static const struct {
        CURLcode code;
        int error;
    } rows[] = {
        {CURLE_OK, 0},
        {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
        {CURLE_COULDNT_CONNECT, -ECONNREFUSED},
        {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
        {CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH},
        {CURLE_PARTIAL_FILE, -ECONNRESET},
        {CURLE_RECV_ERROR, -ECONNRESET},
        {CURLE_SEND_ERROR, -ECONNRESET},
        {CURLE_GOT_NOTHING, -ECONNRESET},
        {CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED},
        {CURLE_SSL_CACERT_BADFILE, -EKEYREJECTED},
        {CURLE_SSL_CERTPROBLEM, -EKEYREJECTED},
        {CURLE_SSL_CIPHER, -EKEYREJECTED},
        {CURLE_SSL_ISSUER_ERROR, -EKEYREJECTED},
        {CURLE_SSL_INVALIDCERTSTATUS, -EKEYREJECTED},
        {CURLE_FILESIZE_EXCEEDED, -EFBIG},
        {CURLE_WEIRD_SERVER_REPLY, -EPROTO},
        {CURLE_UNSUPPORTED_PROTOCOL, -EPROTO}, /* HTTP/0.9: a reply without a status line */
        {CURLE_BAD_CONTENT_ENCODING, -EPROTO},
    };

    if (slot->too_long)
        return -EFBIG;
    if (slot->repeat_refused)
        return -ECONNRESET;
    if (slot->result == CURLE_SSL_CONNECT_ERROR)
        return error_of_handshake(slot->easy);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].code == slot->result)
            return rows[i].error;
    return -EIO;
}

static const char *slot_text(const HttpSlot *slot, int error)
{
    if (error == 0)
        return "";
    if (slot->too_long)
        return "the reply is longer than allowed";
    if (slot->repeat_refused)
        return "the connection was closed before a reply came";
    return slot->error[0] ? slot->error : curl_easy_strerror(slot->result);
}

/* What the reply points to is moved out of the slot, so that the handler may free it first thing. */
static void slot_call_handler(HttpSlot *slot)
{
    _cleanup_buf_ Buf body = slot->body;
    char text[CURL_ERROR_SIZE];
    HttpReply reply = {
        .error = slot_error(slot),
        .text = text,
        .body = body.data ? body.data : "",
        .n_body = body.n,
        .date = slot->date,
        .sent = slot->sent,
        .elapsed = time_monotonic() - slot->started,
    };
    long status = 0;

    slot->body = BUF_NULL;
    (void)snprintf(text, sizeof(text), "%s", slot_text(slot, reply.error));
    if (reply.error == 0) {
        (void)curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
        reply.status = (unsigned)status;
    }

    slot->state = SLOT_DONE;
    slot->handler(&reply, slot->userdata);
}

static int on_deferred(sd_event_source *source, void *userdata)
{
    Http *http = userdata;
    HttpSlot *slot = http->finished;

    if (!slot)
        return 0;

    http->finished = TAKE_PTR(slot->next);
    if (http->finished)
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    slot_call_handler(slot);
    return 0;
}

/* ------------------------------------------------------------------ libcurl on the loop */

static void http_act(Http *http, curl_socket_t fd, int what)
{
    CURLMcode code;
    int n_running;

    code = curl_multi_socket_action(http->multi, fd, what, &n_running);
    if (code != CURLM_OK)
        log_debug("http: curl_multi_socket_action: %s", curl_multi_strerror(code));
    http_read_finished(http);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    int what = 0;

    (void)source;
    if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
        what |= CURL_CSELECT_IN;
    if (revents & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (revents & (EPOLLHUP | EPOLLERR))
        what |= CURL_CSELECT_ERR;
    http_act(userdata, fd, what);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    http_act(userdata, CURL_SOCKET_TIMEOUT, 0);
    return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_userdata)
{
    sd_event_source *source = socket_userdata;
    Http *http = userdata;
    uint32_t events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)sd_event_source_disable_unref(source);
        return 0;
    }

    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    if (source)
        return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;

    if (sd_event_add_io(http->event, &source, fd, events, on_io, http) < 0)
        return -1;
    (void)sd_event_source_set_description(source, "http-io");
    (void)sd_event_source_set_priority(source, HTTP_PRIORITY);
    if (curl_multi_assign(http->multi, fd, source) != CURLM_OK) {
        (void)sd_event_source_disable_unref(source);
        return -1;
    }
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *userdata)
{
    Http *http = userdata;

    (void)multi;
    if (timeout_ms < 0)
        return sd_event_source_set_enabled(http->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
    if (sd_event_source_set_time_relative(http->timer, (uint64_t)timeout_ms * USEC_PER_MSEC) < 0 ||
        sd_event_source_set_enabled(http->timer, SD_EVENT_ONESHOT) < 0)
        return -1;
    return 0;
}

/* ------------------------------------------------------------------ one transfer's callbacks */

static size_t on_body(char *data, size_t size, size_t n_items, void *userdata)
{
    HttpSlot *slot = userdata;
    size_t n = size * n_items;

    if (n > slot->max_reply - slot->body.n) {
        slot->too_long = true;
        return 0;
    }
    return buf_append(&slot->body, data, n) < 0 ? 0 : n;
}

static size_t on_header(char *data, size_t size, size_t n_items, void *userdata)
{
    static const char name[] = "date:";
    size_t n = size * n_items;
    HttpSlot *slot = userdata;
    char text[64];
    time_t seconds;

    if (n > sizeof(name) - 1 && n - (sizeof(name) - 1) < sizeof(text) &&
        strncasecmp(data, name, sizeof(name) - 1) == 0) {
        memcpy(text, data + sizeof(name) - 1, n - (sizeof(name) - 1));
        text[n - (sizeof(name) - 1)] = '\0';
        seconds = curl_getdate(text, NULL);
        if (seconds > 0)
            slot->date = (usec_t)seconds * USEC_PER_SEC;
    }
    return n;
}

/* The connection stands and the request is about to be written; again when libcurl repeats it. */
static int on_prerequest(void *userdata, char *remote, char *local, int remote_port, int local_port)
{
    HttpSlot *slot = userdata;

    (void)remote;
    (void)local;
    (void)remote_port;
    (void)local_port;
    if (slot->sent && !slot->may_repeat) {
        slot->repeat_refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    slot->sent = true;
    return CURL_PREREQFUNC_OK;
}

/* ------------------------------------------------------------------ client */

/*
 * Parsing the system's bundle of some 150 certificates takes OpenSSL 3 over 20 ms, all of it while the
 * boot waits, and a megabyte for good. Where the distribution keeps them as a directory too, by the
 * hash of their subjects (c_rehash), only the one that a chain ends in is read. A directory counts that
 * has the root of AWS's own certificates, Amazon Root CA 1: its name is that hash.
 */
static const char *find_ca_directory(void)
{
    static const struct {
        const char *directory, *probe;
    } rows[] = {
#define ROW(_directory) {_directory, _directory "/ce5e74ef.0"}
        ROW("/etc/ssl/certs"),                                 /* Debian, Ubuntu */
        ROW("/etc/pki/ca-trust/extracted/pem/directory-hash"), /* Fedora and what comes of it */
#undef ROW
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (access(rows[i].probe, R_OK) == 0)
            return rows[i].directory;
    return NULL;
}

static int http_init_multi(Http *http)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -EIO;
    http->global = true;

    http->multi = curl_multi_init();
    http->share = curl_share_init();
    if (!http->multi || !http->share)
        return -ENOMEM;
    /* A connection that resumes a session needs no certificate and no signature checked. */
    if (curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK)
        return -EIO;
    if (curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http) != CURLM_OK ||
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CONNECTIONS_MAX) != CURLM_OK)
        return -EIO;
    return 0;
}

static int http_init_sources(Http *http, sd_event *event)
{
    int r;

    http->event = sd_event_ref(event);

    /* An accuracy of 0 would mean sd-event's 250 ms, late for a time-out of zero. */
    r = sd_event_add_time(event, &http->timer, CLOCK_MONOTONIC, 0, 1, on_timer, http);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(http->timer, "http-timer");
    (void)sd_event_source_set_priority(http->timer, HTTP_PRIORITY);
    r = sd_event_source_set_enabled(http->timer, SD_EVENT_OFF);
    if (r < 0)
        return r;

    r = sd_event_add_defer(event, &http->deferred, on_deferred, http);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(http->deferred, "http-finished");
    (void)sd_event_source_set_priority(http->deferred, HTTP_PRIORITY);
    return sd_event_source_set_enabled(http->deferred, SD_EVENT_OFF);
}

int http_new(Http **ret, sd_event *event, const HttpOptions *options)
{
    _cleanup_(http_freep) Http *http = NULL;
    int r;

    http = calloc(1, sizeof(*http));
    if (!http)
        return -ENOMEM;

    if (replace_string(&http->ca_file, options->ca_file) < 0 ||
        replace_string(&http->proxy, options->proxy) < 0 ||
        replace_string(&http->user_agent, options->user_agent) < 0)
        return -ENOMEM;
    if (!http->ca_file)
        http->ca_directory = find_ca_directory();
    r = http_init_sources(http, event);
    if (r < 0)
        return r;
    r = http_init_multi(http);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(http);
    return 0;
}

Http *http_free(Http *http)
{
    if (!http)
        return NULL;
    assert(http->n_slots == 0);

    if (http->multi)
        (void)curl_multi_cleanup(http->multi);
    if (http->share)
        (void)curl_share_cleanup(http->share);
    (void)sd_event_source_disable_unref(http->deferred);
    (void)sd_event_source_disable_unref(http->timer);
    (void)sd_event_unref(http->event);
    if (http->global)
        curl_global_cleanup();
    free(http->ca_file);
    free(http->proxy);
    free(http->user_agent);
    return mfree(http);
}

/* ------------------------------------------------------------------ transfers */

/* One option of a transfer. A pointer that is NULL is set too: it overrides libcurl's default. */
typedef struct Option {
    CURLoption option;
    enum { OPTION_LONG, OPTION_POINTER, OPTION_FUNCTION, OPTION_SIZE } kind;
    long number;
    const void *pointer;
    void (*function)(void);
    bool skip;
} Option;

#define LONG(_option, _value)                                                                                \
    {                                                                                                        \
        .option = (_option), .kind = OPTION_LONG, .number = (_value)                                         \
    }
#define POINTER(_option, _value)                                                                             \
    {                                                                                                        \
        .option = (_option), .kind = OPTION_POINTER, .pointer = (_value)                                     \
    }
#define FUNCTION(_option, _value)                                                                            \
    {                                                                                                        \
        .option = (_option), .kind = OPTION_FUNCTION, .function = (void (*)(void))(_value)                   \
    }
#define POINTER_IF(_if, _option, _value)                                                                     \
    {                                                                                                        \
        .option = (_option), .kind = OPTION_POINTER, .pointer = (_value), .skip = !(_if)                     \
    }
#define SIZE_IF(_if, _option, _value)                                                                        \
    {                                                                                                        \
        .option = (_option), .kind = OPTION_SIZE, .number = (long)(_value), .skip = !(_if)                   \
    }

static CURLcode option_set(CURL *easy, const Option *option)
{
    switch (option->kind) {
    case OPTION_LONG: return curl_easy_setopt(easy, option->option, option->number);
    case OPTION_POINTER: return curl_easy_setopt(easy, option->option, option->pointer);
    case OPTION_FUNCTION: return curl_easy_setopt(easy, option->option, option->function);
    case OPTION_SIZE: return curl_easy_setopt(easy, option->option, (curl_off_t)option->number);
    }
    return CURLE_UNKNOWN_OPTION;
}

/* A mask of bits before libcurl 7.85, which Ubuntu 22.04 has. */
#if LIBCURL_VERSION_NUM >= 0x075500
#define PROTOCOLS POINTER(CURLOPT_PROTOCOLS_STR, "http,https")
#else
#define PROTOCOLS LONG(CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS)
#endif

static int slot_set_options(HttpSlot *slot, const HttpRequest *request)
{
    const Http *http = slot->http;
    bool has_body = request->n_body > 0, is_post = streq(request->method, "POST");
    const Option options[] = {
        POINTER(CURLOPT_PRIVATE, slot),
        POINTER(CURLOPT_SHARE, http->share),
        POINTER(CURLOPT_ERRORBUFFER, slot->error),
        POINTER(CURLOPT_URL, request->url),
        PROTOCOLS,
        LONG(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1),
        LONG(CURLOPT_NOSIGNAL, 1),
#if LIBCURL_VERSION_NUM >= 0x075700
        /* getaddrinfo() has a thread of libcurl's own and times of its own, tens of seconds without a name
           server. At the end of a request libcurl would wait for that thread, and the loop with it. */
        LONG(CURLOPT_QUICK_EXIT, 1),
#endif
        LONG(CURLOPT_FOLLOWLOCATION, 0),
        LONG(CURLOPT_SSL_VERIFYPEER, 1),
        LONG(CURLOPT_SSL_VERIFYHOST, 2),
        /* Never both: with a directory set, libcurl would parse the bundle for every connection
           instead of keeping it parsed. */
        POINTER_IF(http->ca_file || http->ca_directory, CURLOPT_CAINFO, http->ca_file),
        POINTER(CURLOPT_CAPATH, http->ca_directory),
        LONG(CURLOPT_TIMEOUT_MS, (long)MIN(request->timeout / USEC_PER_MSEC + 1, (usec_t)INT32_MAX)),
        LONG(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1), /* a proxy's Date is not the server's */
        POINTER_IF(http->proxy, CURLOPT_PROXY, http->proxy),
        POINTER_IF(request->direct, CURLOPT_NOPROXY, "*"),
        POINTER_IF(http->user_agent, CURLOPT_USERAGENT, http->user_agent),
        POINTER(CURLOPT_HTTPHEADER, slot->headers),
        SIZE_IF(has_body || is_post, CURLOPT_POSTFIELDSIZE_LARGE, request->n_body),
        POINTER_IF(has_body || is_post, CURLOPT_COPYPOSTFIELDS, has_body ? request->body : ""),
        POINTER(CURLOPT_CUSTOMREQUEST, request->method),
        FUNCTION(CURLOPT_WRITEFUNCTION, on_body),
        POINTER(CURLOPT_WRITEDATA, slot),
        FUNCTION(CURLOPT_HEADERFUNCTION, on_header),
        POINTER(CURLOPT_HEADERDATA, slot),
        FUNCTION(CURLOPT_PREREQFUNCTION, on_prerequest),
        POINTER(CURLOPT_PREREQDATA, slot),
    };

    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        CURLcode code;

        if (options[i].skip)
            continue;
        code = option_set(slot->easy, &options[i]);
        if (code == CURLE_OUT_OF_MEMORY)
            return -ENOMEM;
        if (code != CURLE_OK) {
            log_debug("http: option %d: %s", (int)options[i].option, curl_easy_strerror(code));
            return -EINVAL;
        }
    }
    return 0;
}

static int slot_add_header(HttpSlot *slot, const char *header)
{
    struct curl_slist *headers;

    headers = curl_slist_append(slot->headers, header);
    if (!headers)
        return -ENOMEM;
    slot->headers = headers;
    return 0;
}

static int slot_set_headers(HttpSlot *slot, const char *const *headers)
{
    int r;

    /* No waiting for "100 Continue": a round trip for nothing. */
    r = slot_add_header(slot, "Expect:");
    for (; r >= 0 && headers && *headers; headers++)
        r = slot_add_header(slot, *headers);
    return r;
}

static int url_check(const char *text)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    int r = -EINVAL;

    if (!url)
        return -ENOMEM;
    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0))
        r = 0;
    curl_free(scheme);
    curl_url_cleanup(url);
    return r;
}

int http_perform(Http *http, const HttpRequest *request, HttpHandler handler, void *userdata, HttpSlot **ret)
{
    _cleanup_(http_slot_freep) HttpSlot *slot = NULL;
    int r;

    r = url_check(request->url);
    if (r < 0)
        return r;

    slot = calloc(1, sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    *slot = (HttpSlot){
        .http = http,
        .state = SLOT_NEW,
        .max_reply = request->max_reply,
        .may_repeat = !streq(request->method, "POST"),
        .started = time_monotonic(),
        .handler = handler,
        .userdata = userdata,
    };
    http->n_slots++;

    slot->easy = curl_easy_init();
    if (!slot->easy)
        return -ENOMEM;
    r = slot_set_headers(slot, request->headers);
    if (r < 0)
        return r;
    r = slot_set_options(slot, request);
    if (r < 0)
        return r;

    /* Only arms the timer: libcurl starts when it fires, from the loop. */
    if (curl_multi_add_handle(http->multi, slot->easy) != CURLM_OK)
        return -ENOMEM;
    slot->state = SLOT_RUNNING;

    *ret = TAKE_PTR(slot);
    return 0;
}

HttpSlot *http_slot_free(HttpSlot *slot)
{
    if (!slot)
        return NULL;

    switch (slot->state) {
    case SLOT_RUNNING: (void)curl_multi_remove_handle(slot->http->multi, slot->easy); break;
    case SLOT_FINISHED: finished_remove(slot->http, slot); break;
    case SLOT_NEW:
    case SLOT_DONE: break;
    }
    slot->http->n_slots--;

    curl_easy_cleanup(slot->easy);
    curl_slist_free_all(slot->headers);
    buf_done(&slot->body);
    return mfree(slot);
}
