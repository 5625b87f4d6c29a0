/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The Instance Metadata Service, version 2 only: every GET carries a session token that a PUT gave.
 *
 * One token serves all. GETs that need one while it is being fetched wait in a list and go out
 * together when it comes. A token is renewed when it is next needed, never by a timer: an idle
 * daemon does not wake up. A GET answered with 401 (token expired or forgotten) gets a new token and
 * is repeated once.
 *
 * IMDS counts packets (1024 a second for each interface) and answers 429 or nothing when it is asked
 * too much, so repetitions back off with jitter. A 404 is an answer, never an empty list.
 *
 * A handler is called from the loop as the last thing done; failures found while starting something
 * are put off to the GET's timer.
 */

#include "aws/imds.h"
#include "aws/jitter.h"
#include "aws/retry.h"
#include "util/buf.h"
#include "util/log.h"
#include <errno.h>
#include <stdio.h>

#define IMDS_REPLY_MAX     ((size_t)256 << 10)
#define IMDS_TOKEN_MAX     ((size_t)1024)
#define IMDS_TOKEN_TTL     (21600 * USEC_PER_SEC) /* six hours: the longest allowed */
#define IMDS_TOKEN_RESERVE (60 * USEC_PER_SEC)    /* renewed when less than this is left */

struct Imds {
    sd_event *event;
    Http *http;
    char *endpoint;
    usec_t request_timeout;
    char *token_header; /* NULL: none */
    usec_t token_expiration;
    unsigned token_serial;
    HttpSlot *token_slot; /* the PUT under way */
    ImdsGet *gets;        /* all of them */
};

typedef enum GetState {
    GET_NEW,
    GET_WAITING_TOKEN,
    GET_IN_FLIGHT,
    GET_WAITING_RETRY,
    GET_FAILED, /* known; the timer will tell the handler */
    GET_DONE,   /* the handler was called */
    _GET_STATE_MAX,
} GetState;

struct ImdsGet {
    Imds *imds;
    ImdsGet *next;
    GetState state;
    char *path;
    usec_t deadline;
    unsigned attempt;
    unsigned token_serial; /* the token that the request went out with */
    bool token_renewed;    /* after a 401 */
    int error;             /* of the last try that came to an end of its own */
    char *text;
    HttpSlot *slot;
    sd_event_source *timer;
    ImdsHandler handler;
    void *userdata;
};

static void get_send(ImdsGet *get);
static void get_need_token(ImdsGet *get);

/* ------------------------------------------------------------------ states */

static void get_set_state(ImdsGet *get, GetState state)
{
    static const unsigned edges[_GET_STATE_MAX] _unused_ = {
        [GET_NEW] = 1 << GET_WAITING_TOKEN | 1 << GET_IN_FLIGHT | 1 << GET_FAILED,
        [GET_WAITING_TOKEN] = 1 << GET_IN_FLIGHT | 1 << GET_WAITING_RETRY | 1 << GET_FAILED,
        [GET_IN_FLIGHT] = 1 << GET_WAITING_TOKEN | 1 << GET_WAITING_RETRY | 1 << GET_FAILED | 1 << GET_DONE,
        [GET_WAITING_RETRY] = 1 << GET_WAITING_TOKEN | 1 << GET_IN_FLIGHT | 1 << GET_FAILED,
        [GET_FAILED] = 1 << GET_DONE,
    };

    assert(edges[get->state] & 1u << state);
    get->state = state;
}

static void get_arm(ImdsGet *get, usec_t at)
{
    (void)sd_event_source_set_time(get->timer, at);
    (void)sd_event_source_set_enabled(get->timer, SD_EVENT_ONESHOT);
}

static void get_disarm(ImdsGet *get)
{
    (void)sd_event_source_set_enabled(get->timer, SD_EVENT_OFF);
}

/* Tell the handler; nothing may follow, the handler may have freed everything. */
static void get_finish(ImdsGet *get, const ImdsReply *reply)
{
    get_disarm(get);
    get_set_state(get, GET_DONE);
    get->handler(reply, get->userdata);
}

/* The only way to end badly; the handler is called from the loop later. */
static void get_fail(ImdsGet *get)
{
    get_set_state(get, GET_FAILED);
    get_arm(get, 0);
}

static void get_remember(ImdsGet *get, int error, const char *text)
{
    get->error = error;
    (void)replace_string(&get->text, text);
    log_debug_errno(error, "imds: %s: %s", get->path, text);
}

static void get_retry(ImdsGet *get, AwsErrorClass class)
{
    usec_t at;

    at = time_add(time_monotonic(), aws_retry_delay(class, get->attempt++, jitter_random()));
    if (at >= get->deadline) {
        get_fail(get);
        return;
    }
    get_set_state(get, GET_WAITING_RETRY);
    get_arm(get, at);
}

static int get_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    ImdsGet *get = userdata;

    (void)source;
    (void)usec;
    switch (get->state) {
    case GET_WAITING_TOKEN: /* the deadline */
        if (get->error == 0)
            get_remember(get, -ETIMEDOUT, "no answer to PUT api/token");
        get_fail(get);
        break;
    case GET_WAITING_RETRY: get_need_token(get); break;
    case GET_FAILED: {
        _cleanup_(freep) char *text = TAKE_PTR(get->text);
        ImdsReply reply = {.error = get->error, .text = text ? text : "out of memory", .body = ""};

        get_finish(get, &reply);
        break;
    }
    case GET_NEW:
    case GET_IN_FLIGHT:
    case GET_DONE:
    case _GET_STATE_MAX: assert(false);
    }
    return 0;
}

/* ------------------------------------------------------------------ what a status means */

/* A try that got no usable answer: again, or the end. Refusals come first. */
static void get_on_refusal(ImdsGet *get, const HttpReply *reply, bool about_token)
{
    const char *what = about_token ? "PUT api/token" : "GET";
    char text[512];

    /* Cut short by the end of the time: what the try before it came to says more. */
    if (reply->error == -ETIMEDOUT && get->error < 0 && time_monotonic() >= get->deadline) {
        get_fail(get);
        return;
    }
    if (reply->error < 0) {
        (void)snprintf(text, sizeof(text), "%s: %s", what, reply->text);
        get_remember(get, reply->error, text);
        /* What is too long or not HTTP is another service at that address. */
        if (reply->error == -EFBIG || reply->error == -EPROTO)
            get_fail(get);
        else
            get_retry(get, AWS_ERROR_TRANSIENT);
        return;
    }

    (void)snprintf(text, sizeof(text), "%s: HTTP status %u", what, reply->status);
    if (reply->status == 404 && !about_token) {
        get_remember(get, -ENOENT, text);
        get_fail(get);
    } else if (reply->status == 401 || reply->status == 403) {
        get_remember(get, -EACCES, text);
        get_fail(get);
    } else if (reply->status >= 500 || reply->status == 429) {
        get_remember(get, -EIO, text);
        get_retry(get, reply->status == 429 ? AWS_ERROR_THROTTLED : AWS_ERROR_TRANSIENT);
    } else {
        get_remember(get, -EPROTO, text);
        get_fail(get);
    }
}

/* ------------------------------------------------------------------ token */

static void imds_forget_token(Imds *imds)
{
    imds->token_header = mfree(imds->token_header);
}

/* It goes into a header: no character may end it. */
static bool token_is_valid(const char *token, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    return n > 0;
}

static int imds_take_token(Imds *imds, const HttpReply *reply)
{
    _cleanup_buf_ Buf header = BUF_NULL;
    int r;

    if (!token_is_valid(reply->body, reply->n_body))
        return -EPROTO;
    r = buf_printf(&header, "X-aws-ec2-metadata-token: %s", reply->body);
    if (r < 0)
        return r;

    free(imds->token_header);
    imds->token_header = buf_take(&header);
    imds->token_expiration = time_add(time_monotonic(), IMDS_TOKEN_TTL - IMDS_TOKEN_RESERVE);
    imds->token_serial++;
    return 0;
}

static void on_token(const HttpReply *reply, void *userdata)
{
    HttpReply answer = *reply;
    Imds *imds = userdata;

    imds->token_slot = http_slot_free(imds->token_slot);
    if (answer.error == 0 && answer.status == 200 && imds_take_token(imds, &answer) < 0) {
        answer.error = -EPROTO;
        answer.text = "the token is not one";
    }

    /* None of these calls a handler, so the list stays as it is. */
    for (ImdsGet *get = imds->gets; get; get = get->next) {
        if (get->state != GET_WAITING_TOKEN)
            continue;
        get_disarm(get);
        if (answer.error == 0 && answer.status == 200)
            get_send(get);
        else
            get_on_refusal(get, &answer, true);
    }
}

static int imds_fetch_token(Imds *imds, usec_t timeout)
{
    static const char *const headers[] = {"X-aws-ec2-metadata-token-ttl-seconds: 21600", NULL};
    _cleanup_buf_ Buf url = BUF_NULL;
    HttpRequest request;
    int r;

    r = buf_printf(&url, "%s/latest/api/token", imds->endpoint);
    if (r < 0)
        return r;
    request = (HttpRequest){
        .method = "PUT",
        .url = url.data,
        .headers = headers,
        .max_reply = IMDS_TOKEN_MAX,
        .timeout = timeout,
        .direct = true,
    };
    return http_perform(imds->http, &request, on_token, imds, &imds->token_slot);
}

static usec_t get_timeout(const ImdsGet *get)
{
    usec_t now = time_monotonic();

    return MIN(get->imds->request_timeout, get->deadline > now ? get->deadline - now : 1);
}

static void get_need_token(ImdsGet *get)
{
    Imds *imds = get->imds;
    int r;

    if (imds->token_header && time_monotonic() >= imds->token_expiration)
        imds_forget_token(imds);
    if (imds->token_header) {
        get_send(get);
        return;
    }

    if (!imds->token_slot) {
        r = imds_fetch_token(imds, get_timeout(get));
        if (r < 0) {
            get_remember(get, r, r == -EINVAL ? "imds_endpoint is not a usable URL" : "out of memory");
            get_fail(get);
            return;
        }
    }
    get_set_state(get, GET_WAITING_TOKEN);
    get_arm(get, get->deadline);
}

/* ------------------------------------------------------------------ GET */

static void on_get(const HttpReply *reply, void *userdata)
{
    ImdsGet *get = userdata;
    Imds *imds = get->imds;

    assert(get->state == GET_IN_FLIGHT);
    get->slot = http_slot_free(get->slot);

    if (reply->error == 0 && reply->status == 200) {
        ImdsReply answer = {.text = "", .body = reply->body, .n_body = reply->n_body};

        log_debug("imds: %s: %zu bytes in %llu us", get->path, reply->n_body,
                  (unsigned long long)reply->elapsed);
        get_finish(get, &answer);
        return;
    }

    if (reply->error == 0 && reply->status == 401 && !get->token_renewed) {
        /* Another GET may have seen it first, and the token be new already. */
        if (get->token_serial == imds->token_serial)
            imds_forget_token(imds);
        get->token_renewed = true;
        get_need_token(get);
        return;
    }
    get_on_refusal(get, reply, false);
}

static void get_send(ImdsGet *get)
{
    const char *headers[] = {get->imds->token_header, NULL};
    _cleanup_buf_ Buf url = BUF_NULL;
    HttpRequest request;
    int r;

    get_set_state(get, GET_IN_FLIGHT);
    get->token_serial = get->imds->token_serial;
    r = buf_printf(&url, "%s/latest/%s", get->imds->endpoint, get->path);
    if (r >= 0) {
        request = (HttpRequest){
            .method = "GET",
            .url = url.data,
            .headers = headers,
            .max_reply = IMDS_REPLY_MAX,
            .timeout = get_timeout(get),
            .direct = true,
        };
        r = http_perform(get->imds->http, &request, on_get, get, &get->slot);
    }
    if (r < 0) {
        get_remember(get, r, r == -EINVAL ? "not a usable URL" : "out of memory");
        get_fail(get);
    }
}

int imds_get(Imds *imds, const char *path, usec_t deadline, ImdsHandler handler, void *userdata,
             ImdsGet **ret)
{
    _cleanup_(imds_get_freep) ImdsGet *get = NULL;
    int r;

    get = calloc(1, sizeof(*get));
    if (!get)
        return -ENOMEM;
    *get = (ImdsGet){
        .imds = imds,
        .next = imds->gets,
        .state = GET_NEW,
        .deadline = deadline,
        .handler = handler,
        .userdata = userdata,
    };
    imds->gets = get;

    get->path = strdup(path);
    if (!get->path)
        return -ENOMEM;
    r = sd_event_add_time(imds->event, &get->timer, CLOCK_MONOTONIC, 0, 1, get_on_timer, get);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(get->timer, "imds-get");
    get_disarm(get);
    get_need_token(get);

    *ret = TAKE_PTR(get);
    return 0;
}

ImdsGet *imds_get_free(ImdsGet *get)
{
    if (!get)
        return NULL;

    for (ImdsGet **p = &get->imds->gets; *p; p = &(*p)->next)
        if (*p == get) {
            *p = get->next;
            break;
        }
    (void)http_slot_free(get->slot);
    (void)sd_event_source_disable_unref(get->timer);
    free(get->path);
    free(get->text);
    return mfree(get);
}

/* ------------------------------------------------------------------ session */

int imds_new(Imds **ret, sd_event *event, Http *http, const char *endpoint, usec_t request_timeout)
{
    _cleanup_(imds_freep) Imds *imds = NULL;
    size_t n = strlen(endpoint);

    imds = calloc(1, sizeof(*imds));
    if (!imds)
        return -ENOMEM;
    *imds = (Imds){
        .event = sd_event_ref(event),
        .http = http,
        .request_timeout = request_timeout,
    };

    for (; n > 0 && endpoint[n - 1] == '/'; n--)
        ;
    imds->endpoint = strndup(endpoint, n);
    if (!imds->endpoint)
        return -ENOMEM;

    *ret = TAKE_PTR(imds);
    return 0;
}

Imds *imds_free(Imds *imds)
{
    if (!imds)
        return NULL;
    assert(!imds->gets);

    (void)http_slot_free(imds->token_slot);
    (void)sd_event_unref(imds->event);
    free(imds->token_header);
    free(imds->endpoint);
    return mfree(imds);
}
