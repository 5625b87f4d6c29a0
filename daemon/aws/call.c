/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One call of an AWS service. The three steps of a try are apart: the request is built and signed
 * (pure), io/http carries it, the reply is decoded (pure) and judged by retry.c's table. Around them
 * goes a state machine:
 *
 *   waiting for the bucket -> waiting for credentials -> in flight -> done
 *            ^                                               |
 *            +----------- waiting to retry <-----------------+
 *
 * Tries are bounded by the caller's deadline, not by their number: a node whose calls are throttled
 * for a minute must still boot. Three things bound it further: expired credentials or a wrong clock
 * are mended twice at most, "not found" is retried for 60 s and only where the caller asks, and with
 * AWS_CALL_NO_BLIND_RETRY a try whose outcome is unknown is the last.
 *
 * A try's outcome is unknown ("ambiguous") when the request may have reached the service and what
 * came back does not say that it was refused: nothing, garbage, or a 5xx, except throttling and AWS's
 * own word that it is unavailable, which are said before anything is done.
 *
 * The clock: a signature counts for five minutes around the server's time. When the service refuses
 * one and its Date is more than a minute from ours, later signatures use its time; the credentials
 * are not at fault then.
 *
 * Handlers are called from the loop as the last thing done. Nothing here logs above debug.
 */

#include "aws/call.h"
#include "aws/jitter.h"
#include "aws/sigv4.h"
#include "util/buf.h"
#include "util/log.h"
#include <errno.h>
#include <stdio.h>

#define REPLY_MAX         ((size_t)8 << 20)
#define CLOCK_SKEW_MIN    ((int64_t)(60 * USEC_PER_SEC))
#define NOT_FOUND_BUDGET  (60 * USEC_PER_SEC)
#define EXPIRED_TRIES_MAX 2
#define ACTIONS_MAX       32 /* that have a bucket; codec.h knows fewer */
#define CONTENT_TYPE      "application/x-www-form-urlencoded; charset=utf-8"

typedef struct Endpoint {
    char *url;  /* with a path */
    char *host; /* value of the Host header */
    char *path;
} Endpoint;

typedef struct ActionBucket {
    const char *action; /* static; NULL: unused */
    AwsBucket bucket;
} ActionBucket;

struct Aws {
    sd_event *event;
    Http *http;
    Credentials *credentials;
    char *region;
    Endpoint endpoints[_AWS_SERVICE_MAX];
    usec_t request_timeout;
    int64_t clock_offset;     /* what signatures are corrected by */
    int64_t clock_difference; /* what the last reply said */
    ActionBucket buckets[ACTIONS_MAX];
    AwsStatistics statistics;
    size_t n_calls;
};

typedef enum CallState {
    CALL_NEW,
    CALL_WAITING_BUCKET,
    CALL_WAITING_CREDENTIALS,
    CALL_IN_FLIGHT,
    CALL_WAITING_RETRY,
    CALL_FAILED, /* known; the timer will tell the handler */
    CALL_DONE,   /* the handler was called */
    _CALL_STATE_MAX,
} CallState;

struct AwsCall {
    Aws *aws;
    AwsQuery query;
    CallState state;
    usec_t started;
    usec_t deadline;
    unsigned flags;
    unsigned attempt;   /* repetitions since the last success */
    unsigned n_tries;   /* requests sent */
    unsigned n_expired; /* of which refused for credentials or clock */
    bool mutating;
    bool ambiguous;
    AwsRecords records; /* of the pages so far */
    /* The last failure. */
    AwsErrorClass class;
    int error;
    unsigned status;
    char *code, *message, *request_id; /* NULL: none */
    sd_event_source *timer;
    CredentialsWait *wait;
    HttpSlot *slot;
    AwsHandler handler;
    AwsAmend amend; /* or NULL */
    bool has_turn;  /* a token of the bucket, for a try that was not sent yet */
    void *userdata;
};

static void call_take_token(AwsCall *call);

static const char *service_name(AwsService service)
{
    static const char *const names[_AWS_SERVICE_MAX] = {
        [AWS_SERVICE_EC2] = "ec2",
        [AWS_SERVICE_AUTOSCALING] = "autoscaling",
    };

    return names[service];
}

static bool action_is_mutating(const char *action)
{
    return strncmp(action, "Describe", strlen("Describe")) != 0 && strncmp(action, "Get", strlen("Get")) != 0;
}

static AwsBucket *aws_bucket(Aws *aws, const char *action)
{
    for (size_t i = 0; i < ARRAY_SIZE(aws->buckets); i++) {
        if (!aws->buckets[i].action)
            aws->buckets[i].action = action;
        if (streq(aws->buckets[i].action, action))
            return &aws->buckets[i].bucket;
    }
    assert(false);
    return &aws->buckets[0].bucket;
}

/* ------------------------------------------------------------------ states */

static void call_set_state(AwsCall *call, CallState state)
{
    static const unsigned edges[_CALL_STATE_MAX] _unused_ = {
        [CALL_NEW] = 1 << CALL_WAITING_BUCKET,
        [CALL_WAITING_BUCKET] = 1 << CALL_WAITING_CREDENTIALS | 1 << CALL_FAILED,
        [CALL_WAITING_CREDENTIALS] = 1 << CALL_IN_FLIGHT | 1 << CALL_FAILED,
        [CALL_IN_FLIGHT] =
            1 << CALL_WAITING_BUCKET | 1 << CALL_WAITING_RETRY | 1 << CALL_FAILED | 1 << CALL_DONE,
        [CALL_WAITING_RETRY] = 1 << CALL_WAITING_BUCKET | 1 << CALL_FAILED,
        [CALL_FAILED] = 1 << CALL_DONE,
    };

    assert(edges[call->state] & 1u << state);
    call->state = state;
}

static void call_arm(AwsCall *call, usec_t at)
{
    (void)sd_event_source_set_time(call->timer, at);
    (void)sd_event_source_set_enabled(call->timer, SD_EVENT_ONESHOT);
}

static void call_forget_error(AwsCall *call)
{
    call->class = AWS_ERROR_NONE;
    call->error = 0;
    call->status = 0;
    call->code = mfree(call->code);
    call->message = mfree(call->message);
    call->request_id = mfree(call->request_id);
}

static void call_set_error(AwsCall *call, AwsErrorClass class, int error, const char *message)
{
    call_forget_error(call);
    call->class = class;
    call->error = error;
    (void)replace_string(&call->message, message);
}

/* It was not sent: what comes after it need not wait for that. */
static void call_leave_turn(AwsCall *call)
{
    if (call->has_turn)
        aws_bucket_give_back(aws_bucket(call->aws, call->query.action));
    call->has_turn = false;
}

/* The only way to end badly: the error was set; the handler is called from the loop later. */
static void call_fail(AwsCall *call)
{
    call_leave_turn(call);
    call_set_state(call, CALL_FAILED);
    call_arm(call, 0);
}

/*
 * Tell the handler, and do nothing after it. What the reply points to is moved out of the call, so
 * that the handler may free the call before it looks at the reply.
 */
static void call_finish(AwsCall *call)
{
    _cleanup_(freep) char *code = TAKE_PTR(call->code), *message = TAKE_PTR(call->message),
                          *request_id = TAKE_PTR(call->request_id);
    _cleanup_aws_records_ AwsRecords records = call->records;
    AwsError error = {
        .class = call->class,
        .error = call->error,
        .status = call->status,
        .action = call->query.action,
        .code = code ? code : "",
        .message = message ? message : "",
        .request_id = request_id ? request_id : "",
        .n_tries = call->n_tries,
        .ambiguous = call->ambiguous,
    };
    AwsReply reply = {
        .error = call->error < 0 ? &error : NULL,
        .records = call->error < 0 ? NULL : &records,
        .n_tries = call->n_tries,
        .ambiguous = call->ambiguous,
        .elapsed = time_monotonic() - call->started,
    };

    call->records = AWS_RECORDS_NULL;
    call_set_state(call, CALL_DONE);
    call->handler(&reply, call->userdata);
}

/* ------------------------------------------------------------------ what a failed try leads to */

static bool call_may_retry(const AwsCall *call, usec_t now)
{
    switch (call->class) {
    case AWS_ERROR_TRANSIENT: return !(call->ambiguous && call->flags & AWS_CALL_NO_BLIND_RETRY);
    case AWS_ERROR_THROTTLED: return true;
    case AWS_ERROR_EXPIRED: return call->n_expired <= EXPIRED_TRIES_MAX;
    case AWS_ERROR_NOT_FOUND:
        return call->flags & AWS_CALL_RETRY_NOT_FOUND && now < time_add(call->started, NOT_FOUND_BUDGET);
    case AWS_ERROR_NONE:
    case AWS_ERROR_ADDRESS_IN_USE:
    case AWS_ERROR_INDEX_IN_USE:
    case AWS_ERROR_ENI_IN_USE:
    case AWS_ERROR_ADDRESS_LIMIT:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL:
    case AWS_ERROR_DENIED:
    case AWS_ERROR_FINAL: return false;
    }
    return false;
}

static void call_on_failed_try(AwsCall *call)
{
    usec_t now = time_monotonic(), at;

    log_debug_errno(call->error, "aws: %s: %s %s", call->query.action, call->code ? call->code : "",
                    call->message ? call->message : "");
    if (!call_may_retry(call, now)) {
        call_fail(call);
        return;
    }
    at = time_add(now, aws_retry_delay(call->class, call->attempt++, jitter_random()));
    if (at >= call->deadline) {
        call_fail(call);
        return;
    }
    call->aws->statistics.n_retried++;
    call_set_state(call, CALL_WAITING_RETRY);
    call_arm(call, at);
}

/* The service did not accept who we are or when: find out which, once a try. */
static void call_mend_identity(AwsCall *call, usec_t date)
{
    Aws *aws = call->aws;
    int64_t offset = (int64_t)date - (int64_t)time_realtime(), change = offset - aws->clock_offset;

    call->n_expired++;
    if (date > 0 && (change > CLOCK_SKEW_MIN || change < -CLOCK_SKEW_MIN)) {
        log_debug("aws: our clock is %+lld s off the server's", (long long)(-offset / (int64_t)USEC_PER_SEC));
        aws->clock_offset = offset;
    } else {
        credentials_invalidate(aws->credentials);
    }
}

static int error_of_class(AwsErrorClass class)
{
    switch (class) {
    case AWS_ERROR_NONE: return 0;
    case AWS_ERROR_TRANSIENT: return -EIO;
    case AWS_ERROR_THROTTLED: return -EAGAIN;
    case AWS_ERROR_EXPIRED: return -EKEYEXPIRED;
    case AWS_ERROR_NOT_FOUND: return -ENOENT;
    case AWS_ERROR_ADDRESS_IN_USE: return -EADDRINUSE;
    case AWS_ERROR_INDEX_IN_USE:
    case AWS_ERROR_ENI_IN_USE: return -EBUSY;
    case AWS_ERROR_ADDRESS_LIMIT:
    case AWS_ERROR_ATTACH_LIMIT:
    case AWS_ERROR_SUBNET_FULL: return -ENOSPC;
    case AWS_ERROR_DENIED: return -EACCES;
    case AWS_ERROR_FINAL: return -EINVAL;
    }
    return -EINVAL;
}

/*
 * No HTTP reply at all. A certificate that is refused will be refused again. A try that was cut short by the
 * end of the time leaves the error of the one before it, which says more.
 */
static void call_on_transport_error(AwsCall *call, const HttpReply *reply)
{
    char text[512];

    call->ambiguous |= call->mutating && reply->sent;
    if (reply->error == -ETIMEDOUT && call->error < 0 && time_monotonic() >= call->deadline)
        return;
    (void)snprintf(text, sizeof(text), "no reply from %s: %s%s",
                   call->aws->endpoints[call->query.service].host, reply->text,
                   reply->error == -EKEYREJECTED ? "; check [aws] ca_file and the clock of this node" : "");
    call_set_error(call, reply->error == -EKEYREJECTED ? AWS_ERROR_FINAL : AWS_ERROR_TRANSIENT, reply->error,
                   text);
}

/* Whether the service may have done it although the status says otherwise. */
static bool status_is_ambiguous(unsigned status, AwsErrorClass class, const char *code)
{
    return class == AWS_ERROR_TRANSIENT && status >= 500 && !streq(code, "Unavailable") &&
           !streq(code, "ServiceUnavailable");
}

static void call_on_error_status(AwsCall *call, const HttpReply *reply)
{
    _cleanup_(aws_error_reply_done) AwsErrorReply error = {0};
    char text[128];

    (void)snprintf(text, sizeof(text), "HTTP status %u without an error of AWS", reply->status);
    if (aws_decode_error(reply->body, reply->n_body, &error) < 0)
        error = (AwsErrorReply){0};

    call_set_error(
        call,
        aws_error_classify(reply->status, error.code ? error.code : "", error.message ? error.message : ""),
        0, error.message ? error.message : text);
    call->error = error_of_class(call->class);
    call->status = reply->status;
    call->code = TAKE_PTR(error.code);
    call->request_id = TAKE_PTR(error.request_id);
    call->ambiguous |=
        call->mutating && status_is_ambiguous(reply->status, call->class, call->code ? call->code : "");

    if (call->class == AWS_ERROR_THROTTLED) {
        call->aws->statistics.n_throttled++;
        aws_bucket_throttled(aws_bucket(call->aws, call->query.action), time_monotonic());
    } else if (call->class == AWS_ERROR_EXPIRED) {
        call_mend_identity(call, reply->date);
    }
}

/* ------------------------------------------------------------------ what a good try leads to */

/* A 200 whose body is no reply was most likely carried out all the same. */
static void call_on_garbage(AwsCall *call, int error)
{
    call_set_error(call, error == -ENOMEM ? AWS_ERROR_FINAL : AWS_ERROR_TRANSIENT, error,
                   error == -ENOMEM ? "out of memory" : "the reply is not one of this action");
    call->status = 200;
    call->ambiguous |= call->mutating;
    call_on_failed_try(call);
}

static void call_on_ok(AwsCall *call, const HttpReply *reply)
{
    int r;

    r = aws_decode_reply(call->query.service, call->query.action, reply->body, reply->n_body, &call->records);
    if (r < 0) {
        call_on_garbage(call, r);
        return;
    }

    aws_bucket_succeeded(aws_bucket(call->aws, call->query.action), time_monotonic());
    call_forget_error(call);
    call->attempt = 0;
    if (!call->records.next_token) {
        call_finish(call);
        return;
    }

    r = aws_query_set_page(&call->query, call->records.next_token);
    if (r < 0) {
        call_on_garbage(call, r);
        return;
    }
    call_take_token(call);
}

/* With DryRun, 412 and this code are how EC2 says yes. */
static bool reply_is_dry_run(const AwsCall *call, const HttpReply *reply)
{
    _cleanup_(aws_error_reply_done) AwsErrorReply error = {0};

    return call->query.dry_run && reply->error == 0 && reply->status == 412 &&
           aws_decode_error(reply->body, reply->n_body, &error) == 0 && streq(error.code, "DryRunOperation");
}

static void call_on_reply(const HttpReply *reply, void *userdata)
{
    AwsCall *call = userdata;

    assert(call->state == CALL_IN_FLIGHT);
    call->slot = http_slot_free(call->slot);
    if (reply->date > 0)
        call->aws->clock_difference = (int64_t)reply->date - (int64_t)time_realtime();

    if (reply->error == 0 && reply->status == 200) {
        log_debug("aws: %s: 200 after %llu us, %zu bytes", call->query.action,
                  (unsigned long long)reply->elapsed, reply->n_body);
        call_on_ok(call, reply);
        return;
    }
    if (reply_is_dry_run(call, reply)) {
        log_debug("aws: %s: would be allowed", call->query.action);
        call_forget_error(call);
        call_finish(call);
        return;
    }

    if (reply->error < 0)
        call_on_transport_error(call, reply);
    else
        call_on_error_status(call, reply);
    log_debug("aws: %s: %u after %llu us, request id %s", call->query.action, reply->status,
              (unsigned long long)reply->elapsed, call->request_id ? call->request_id : "-");
    call_on_failed_try(call);
}

/* ------------------------------------------------------------------ one try */

/* The signed headers, for the body as it is. */
static int call_sign(const AwsCall *call, const AwsKeys *keys, const char *body, StrList *ret)
{
    const Aws *aws = call->aws;
    const Endpoint *endpoint = &aws->endpoints[call->query.service];
    Sigv4Request request = {
        .access_key_id = keys->access_key_id,
        .secret_access_key = keys->secret_access_key,
        .session_token = keys->session_token,
        .region = aws->region,
        .service = service_name(call->query.service),
        .method = "POST",
        .host = endpoint->host,
        .path = endpoint->path,
        .query = "",
        .content_type = CONTENT_TYPE,
        .body = body,
        .n_body = strlen(body),
        .now = (usec_t)((int64_t)time_realtime() + aws->clock_offset),
    };

    return sigv4_sign(&request, ret);
}

static int call_send(AwsCall *call, const AwsKeys *keys)
{
    _cleanup_(freep) char *body = aws_query_encode(&call->query);
    _cleanup_strlist_ StrList lines = STRLIST_NULL;
    const char *headers[8] = {NULL};
    usec_t now = time_monotonic();
    HttpRequest request;
    int r;

    if (!body)
        return -ENOMEM;
    r = call_sign(call, keys, body, &lines);
    if (r < 0)
        return r;
    assert(lines.n < ARRAY_SIZE(headers));
    for (size_t i = 0; i < lines.n; i++)
        headers[i] = lines.items[i];

    request = (HttpRequest){
        .method = "POST",
        .url = call->aws->endpoints[call->query.service].url,
        .headers = headers,
        .body = body,
        .n_body = strlen(body),
        .max_reply = REPLY_MAX,
        .timeout = MIN(call->aws->request_timeout, call->deadline > now ? call->deadline - now : 1),
    };
    r = http_perform(call->aws->http, &request, call_on_reply, call, &call->slot);
    if (r < 0)
        return r;

    call->has_turn = false;
    call->n_tries++;
    call->aws->statistics.n_calls++;
    call->aws->statistics.n_mutating += call->mutating;
    return 0;
}

/* What has waited may take along what has been asked for since, or not be wanted any more: false. */
static bool call_amend(AwsCall *call)
{
    AwsQuery query = {0};
    usec_t deadline;

    if (!call->amend)
        return true;
    switch (call->amend(&query, &deadline, call->userdata)) {
    case AWS_AMENDMENT_NONE: return true;
    case AWS_AMENDMENT_END: return false;
    case AWS_AMENDMENT_QUERY: break;
    }
    assert(!call->ambiguous);
    assert(streq(call->query.action, query.action));
    aws_query_done(&call->query);
    call->query = query;
    call->deadline = MAX(call->deadline, deadline);
    return true;
}

static void call_on_credentials(int error, const char *text, const AwsKeys *keys, void *userdata)
{
    AwsCall *call = userdata;
    int r;

    assert(call->state == CALL_WAITING_CREDENTIALS);
    if (error < 0) {
        call_set_error(call, error == -EACCES ? AWS_ERROR_DENIED : AWS_ERROR_FINAL, error, text);
        call->wait = credentials_wait_free(call->wait);
        call_fail(call);
        return;
    }

    r = call_amend(call) ? call_send(call, keys) : -ECANCELED;
    call->wait = credentials_wait_free(call->wait);
    if (r < 0) {
        call_set_error(call, AWS_ERROR_FINAL, r,
                       r == -ECANCELED ? "not wanted any more"
                       : r == -EINVAL  ? "the endpoint is not a usable URL"
                                       : "out of memory");
        call_fail(call);
        return;
    }
    call_set_state(call, CALL_IN_FLIGHT);
}

static void call_ask_credentials(AwsCall *call)
{
    int r;

    call_set_state(call, CALL_WAITING_CREDENTIALS);
    r = credentials_get(call->aws->credentials, call->deadline, call_on_credentials, call, &call->wait);
    if (r < 0) {
        call_set_error(call, AWS_ERROR_FINAL, r, "out of memory");
        call_fail(call);
    }
}

/* A token of the action's bucket: now, or when the timer fires. */
static void call_take_token(AwsCall *call)
{
    usec_t now = time_monotonic(), at;

    at = aws_bucket_take(aws_bucket(call->aws, call->query.action), action_is_mutating(call->query.action),
                         now);
    call_set_state(call, CALL_WAITING_BUCKET);
    call->has_turn = true;
    if (at >= call->deadline) {
        if (call->error == 0)
            call_set_error(call, AWS_ERROR_THROTTLED, -ETIMEDOUT,
                           "the deadline is before the rate limit allows another call");
        call_fail(call);
    } else if (at > now) {
        call_arm(call, at);
    } else {
        call_ask_credentials(call);
    }
}

static int call_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    AwsCall *call = userdata;

    (void)source;
    (void)usec;
    switch (call->state) {
    case CALL_WAITING_BUCKET: call_ask_credentials(call); break;
    case CALL_WAITING_RETRY: call_take_token(call); break;
    case CALL_FAILED: call_finish(call); break;
    case CALL_NEW:
    case CALL_WAITING_CREDENTIALS:
    case CALL_IN_FLIGHT:
    case CALL_DONE:
    case _CALL_STATE_MAX: assert(false);
    }
    return 0;
}

int aws_call(Aws *aws, AwsQuery *query_take, usec_t deadline, unsigned flags, AwsHandler handler,
             void *userdata, AwsCall **ret)
{
    _cleanup_(aws_call_freep) AwsCall *call = NULL;
    int r;

    call = calloc(1, sizeof(*call));
    if (!call) {
        aws_query_done(query_take);
        return -ENOMEM;
    }
    *call = (AwsCall){
        .aws = aws,
        .query = *query_take,
        .state = CALL_NEW,
        .started = time_monotonic(),
        .deadline = deadline,
        .flags = flags,
        .mutating = !query_take->dry_run && action_is_mutating(query_take->action),
        .handler = handler,
        .userdata = userdata,
    };
    query_take->parameters = KEYVALUE_LIST_NULL;
    aws->n_calls++;

    r = sd_event_add_time(aws->event, &call->timer, CLOCK_MONOTONIC, 0, 1, call_on_timer, call);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(call->timer, "aws-call");
    (void)sd_event_source_set_priority(call->timer, HTTP_PRIORITY);
    (void)sd_event_source_set_enabled(call->timer, SD_EVENT_OFF);
    call_take_token(call);

    *ret = TAKE_PTR(call);
    return 0;
}

bool aws_call_is_ambiguous(const AwsCall *call)
{
    return call->ambiguous;
}

const char *aws_call_trouble(const AwsCall *call)
{
    return call->error < 0 ? call->message : NULL;
}

bool aws_call_give_up(AwsCall *call)
{
    if (call->state != CALL_WAITING_BUCKET && call->state != CALL_WAITING_RETRY)
        return false;
    if (!call->ambiguous)
        call_set_error(call, AWS_ERROR_FINAL, -ECANCELED, "not wanted any more");
    call_fail(call);
    return true;
}

void aws_call_on_try(AwsCall *call, AwsAmend amend)
{
    call->amend = amend;
}

AwsCall *aws_call_free(AwsCall *call)
{
    if (!call)
        return NULL;

    call_leave_turn(call);
    call->aws->n_calls--;
    (void)http_slot_free(call->slot);
    (void)credentials_wait_free(call->wait);
    (void)sd_event_source_disable_unref(call->timer);
    call_forget_error(call);
    aws_records_done(&call->records);
    aws_query_done(&call->query);
    return mfree(call);
}

/* ------------------------------------------------------------------ session */

/* "https://host:port/path" to what is signed. A port that is the scheme's own is not sent. */
static int endpoint_init(Endpoint *endpoint, const char *url)
{
    const char *host = strstr(url, "://"), *path, *standard;
    size_t n_host, n_standard;

    if (!host)
        return -EINVAL;
    standard = strncmp(url, "https", strlen("https")) == 0 ? ":443" : ":80";
    n_standard = strlen(standard);
    host += strlen("://");
    path = strchrnul(host, '/');
    n_host = (size_t)(path - host);
    if (n_host == 0)
        return -EINVAL;
    if (n_host > n_standard && strncmp(host + n_host - n_standard, standard, n_standard) == 0)
        n_host -= n_standard;

    endpoint->host = strndup(host, n_host);
    endpoint->path = strdup(*path ? path : "/");
    if (!endpoint->host || !endpoint->path)
        return -ENOMEM;
    if (asprintf(&endpoint->url, "%s%s", url, *path ? "" : "/") < 0) {
        endpoint->url = NULL; /* undefined after a failure */
        return -ENOMEM;
    }
    return 0;
}

static void endpoint_done(Endpoint *endpoint)
{
    free(endpoint->url);
    free(endpoint->host);
    free(endpoint->path);
}

int aws_new(Aws **ret, sd_event *event, Http *http, Credentials *credentials, const AwsOptions *options)
{
    _cleanup_(aws_freep) Aws *aws = NULL;
    int r;

    aws = calloc(1, sizeof(*aws));
    if (!aws)
        return -ENOMEM;
    *aws = (Aws){
        .event = sd_event_ref(event),
        .http = http,
        .credentials = credentials,
        .request_timeout = options->request_timeout,
    };

    aws->region = strdup(options->region);
    if (!aws->region)
        return -ENOMEM;
    for (size_t i = 0; i < _AWS_SERVICE_MAX; i++) {
        r = endpoint_init(&aws->endpoints[i], options->endpoints[i]);
        if (r < 0)
            return r;
    }

    *ret = TAKE_PTR(aws);
    return 0;
}

Aws *aws_free(Aws *aws)
{
    if (!aws)
        return NULL;
    assert(aws->n_calls == 0);

    for (size_t i = 0; i < _AWS_SERVICE_MAX; i++)
        endpoint_done(&aws->endpoints[i]);
    free(aws->region);
    (void)sd_event_unref(aws->event);
    return mfree(aws);
}

int64_t aws_clock_offset(const Aws *aws)
{
    return aws->clock_offset;
}

int64_t aws_clock_difference(const Aws *aws)
{
    return aws->clock_difference;
}

const AwsStatistics *aws_statistics(const Aws *aws)
{
    return &aws->statistics;
}
