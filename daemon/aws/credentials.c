/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The instance role's credentials: IMDS names the role, then gives its keys as JSON.
 *
 * One fetch serves all who wait. Who waits has a source of its own, that first stands for his
 * deadline and, once there is something to tell, is set to fire at once; so the handlers are called
 * one a turn, and may free whatever they like.
 *
 * Keys are renewed when they are next asked for with less than five minutes left, never by a timer.
 * IMDS gives new ones at least five minutes before the old ones end (EC2 User Guide, "IAM roles for
 * Amazon EC2"). When our clock is wrong the newest keys may look expired: they are handed out all
 * the same, the service is the judge, and IMDS is not asked again for a minute.
 *
 * Secrets are wiped when freed and never logged.
 */

#include "aws/credentials.h"
#include "util/log.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#define ROLE_PATH       "meta-data/iam/security-credentials/"
#define ROLE_MAX        ((size_t)128)
#define KEYS_RESERVE    (5 * USEC_PER_MINUTE)
#define REFETCH_PAUSE   (USEC_PER_MINUTE)
#define JSON_TEXT_MAX   ((size_t)64 << 10)
#define KEYS_NULL       ((AwsKeys){0})
#define ROLE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-"

typedef enum CredentialsState {
    CREDENTIALS_IDLE,
    CREDENTIALS_ASKING_ROLE,
    CREDENTIALS_ASKING_KEYS,
    _CREDENTIALS_STATE_MAX,
} CredentialsState;

struct Credentials {
    sd_event *event;
    Imds *imds;
    CredentialsState state;
    char *role;
    bool role_asked_again; /* in this fetch: the role we knew was gone */
    AwsKeys keys;          /* access_key_id NULL: none */
    usec_t keys_fetched;   /* CLOCK_MONOTONIC */
    bool invalid;          /* the service called them expired */
    int error;             /* of the last fetch */
    char *text;
    ImdsGet *get;
    CredentialsWait *waits;
};

typedef enum WaitState {
    WAIT_FETCH,  /* source: the deadline */
    WAIT_ANSWER, /* source: now */
    WAIT_DONE,
} WaitState;

struct CredentialsWait {
    Credentials *credentials;
    CredentialsWait *next;
    WaitState state;
    usec_t deadline;
    sd_event_source *source;
    CredentialsHandler handler;
    void *userdata;
};

static void credentials_ask_role(Credentials *credentials);

/* ------------------------------------------------------------------ keys */

static char *wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    return mfree(secret);
}

void aws_keys_done(AwsKeys *keys)
{
    keys->access_key_id = mfree(keys->access_key_id);
    keys->secret_access_key = wipe(keys->secret_access_key);
    keys->session_token = wipe(keys->session_token);
    keys->expiration = 0;
}

/* They go into headers: no character may end one. */
static int take_secret(const json_t *root, const char *name, char **ret)
{
    const char *value = json_string_value(json_object_get(root, name));

    if (!value || !value[0])
        return -EBADMSG;
    for (const char *p = value; *p; p++)
        if (*p <= ' ' || *p > '~')
            return -EBADMSG;

    *ret = strdup(value);
    return *ret ? 0 : -ENOMEM;
}

static int keys_from_json(const json_t *root, AwsKeys *keys)
{
    const char *code = json_string_value(json_object_get(root, "Code"));
    const char *expiration = json_string_value(json_object_get(root, "Expiration"));
    int r;

    if (!json_is_object(root))
        return -EBADMSG;
    if (code && !streq(code, "Success"))
        return -EACCES;
    if (!expiration || time_parse_iso8601(expiration, &keys->expiration) < 0)
        return -EBADMSG;

    r = take_secret(root, "AccessKeyId", &keys->access_key_id);
    if (r >= 0)
        r = take_secret(root, "SecretAccessKey", &keys->secret_access_key);
    if (r >= 0)
        r = take_secret(root, "Token", &keys->session_token);
    return r;
}

int credentials_decode(const char *json, size_t n, AwsKeys *ret)
{
    _cleanup_(aws_keys_done) AwsKeys keys = KEYS_NULL;
    json_t *root;
    int r;

    if (n > JSON_TEXT_MAX)
        return -EBADMSG;
    root = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
    if (!root)
        return -EBADMSG;
    r = keys_from_json(root, &keys);
    json_decref(root);
    if (r < 0)
        return r;

    *ret = keys;
    keys = KEYS_NULL;
    return 0;
}

static bool credentials_usable(const Credentials *credentials)
{
    if (!credentials->keys.access_key_id || credentials->invalid)
        return false;
    return time_add(time_realtime(), KEYS_RESERVE) < credentials->keys.expiration ||
           time_monotonic() < time_add(credentials->keys_fetched, REFETCH_PAUSE);
}

/* ------------------------------------------------------------------ fetch */

static void credentials_set_state(Credentials *credentials, CredentialsState state)
{
    static const unsigned edges[_CREDENTIALS_STATE_MAX] _unused_ = {
        [CREDENTIALS_IDLE] = 1 << CREDENTIALS_ASKING_ROLE | 1 << CREDENTIALS_ASKING_KEYS,
        [CREDENTIALS_ASKING_ROLE] = 1 << CREDENTIALS_IDLE | 1 << CREDENTIALS_ASKING_KEYS,
        [CREDENTIALS_ASKING_KEYS] = 1 << CREDENTIALS_IDLE | 1 << CREDENTIALS_ASKING_ROLE,
    };

    assert(edges[credentials->state] & 1u << state);
    credentials->state = state;
}

static void wait_answer(CredentialsWait *wait)
{
    wait->state = WAIT_ANSWER;
    (void)sd_event_source_set_time(wait->source, 0);
    (void)sd_event_source_set_enabled(wait->source, SD_EVENT_ONESHOT);
}

/* The fetch has ended; everyone who waits is told from the loop. */
static void credentials_finish(Credentials *credentials, int error, const char *text)
{
    credentials_set_state(credentials, CREDENTIALS_IDLE);
    credentials->error = error;
    (void)replace_string(&credentials->text, text);
    if (error < 0)
        log_debug_errno(error, "credentials: %s", text);
    for (CredentialsWait *wait = credentials->waits; wait; wait = wait->next)
        if (wait->state == WAIT_FETCH)
            wait_answer(wait);
}

static void credentials_fail(Credentials *credentials, int error, const char *text)
{
    credentials_finish(credentials, error, text);
}

/* What IMDS answers to others than us in such a case, in an operator's words. */
static void credentials_fail_imds(Credentials *credentials, const ImdsReply *reply, const char *path)
{
    char text[512];

    if (reply->error == -ENOENT)
        (void)snprintf(text, sizeof(text),
                       "the instance has no IAM role (IMDS has no %s): attach an instance profile to it",
                       path);
    else
        (void)snprintf(text, sizeof(text), "IMDS %s: %s", path, reply->text);
    credentials_fail(credentials, reply->error, text);
}

static usec_t credentials_deadline(const Credentials *credentials)
{
    usec_t deadline = 0;

    for (const CredentialsWait *wait = credentials->waits; wait; wait = wait->next)
        if (wait->state == WAIT_FETCH)
            deadline = MAX(deadline, wait->deadline);
    return deadline;
}

static void on_keys(const ImdsReply *reply, void *userdata)
{
    Credentials *credentials = userdata;
    AwsKeys keys;
    int r;

    assert(credentials->state == CREDENTIALS_ASKING_KEYS);
    credentials->get = imds_get_free(credentials->get);

    if (reply->error == -ENOENT && !credentials->role_asked_again) {
        /* The instance was given another role meanwhile. */
        credentials->role_asked_again = true;
        credentials_ask_role(credentials);
        return;
    }
    if (reply->error < 0) {
        credentials_fail_imds(credentials, reply, ROLE_PATH "ROLE");
        return;
    }

    r = credentials_decode(reply->body, reply->n_body, &keys);
    if (r < 0) {
        credentials_fail(credentials, r,
                         r == -EACCES
                             ? "IMDS has the role but no credentials for it: check the role's trust policy "
                               "for ec2.amazonaws.com"
                             : "IMDS " ROLE_PATH "ROLE: not the credentials of a role");
        return;
    }

    aws_keys_done(&credentials->keys);
    credentials->keys = keys;
    credentials->keys_fetched = time_monotonic();
    credentials->invalid = false;
    credentials_finish(credentials, 0, NULL);
}

static void credentials_ask(Credentials *credentials, CredentialsState state, const char *path,
                            ImdsHandler handler)
{
    int r;

    credentials_set_state(credentials, state);
    r = imds_get(credentials->imds, path, credentials_deadline(credentials), handler, credentials,
                 &credentials->get);
    if (r < 0)
        credentials_fail(credentials, r, "out of memory");
}

static void credentials_ask_keys(Credentials *credentials)
{
    char path[sizeof(ROLE_PATH) + ROLE_MAX];

    (void)snprintf(path, sizeof(path), ROLE_PATH "%s", credentials->role);
    credentials_ask(credentials, CREDENTIALS_ASKING_KEYS, path, on_keys);
}

/* The first line is the role; IAM's characters only, since it becomes part of a path. */
static void on_role(const ImdsReply *reply, void *userdata)
{
    Credentials *credentials = userdata;
    char role[ROLE_MAX];
    size_t n;

    assert(credentials->state == CREDENTIALS_ASKING_ROLE);
    credentials->get = imds_get_free(credentials->get);

    if (reply->error < 0) {
        credentials_fail_imds(credentials, reply, ROLE_PATH);
        return;
    }
    n = strspn(reply->body, ROLE_CHARACTERS);
    if (n == 0 || n >= sizeof(role) || (reply->body[n] && reply->body[n] != '\n')) {
        credentials_fail(credentials, -EBADMSG, "IMDS " ROLE_PATH ": not the name of a role");
        return;
    }

    memcpy(role, reply->body, n);
    role[n] = '\0';
    if (replace_string(&credentials->role, role) < 0) {
        credentials_fail(credentials, -ENOMEM, "out of memory");
        return;
    }
    credentials_ask_keys(credentials);
}

static void credentials_ask_role(Credentials *credentials)
{
    credentials_ask(credentials, CREDENTIALS_ASKING_ROLE, ROLE_PATH, on_role);
}

static void credentials_fetch(Credentials *credentials)
{
    credentials->role_asked_again = !credentials->role;
    if (credentials->role)
        credentials_ask_keys(credentials);
    else
        credentials_ask_role(credentials);
}

/* ------------------------------------------------------------------ who waits */

static int on_wait(sd_event_source *source, uint64_t usec, void *userdata)
{
    CredentialsWait *wait = userdata;
    const Credentials *credentials = wait->credentials;

    (void)source;
    (void)usec;
    switch (wait->state) {
    case WAIT_FETCH:
        wait->state = WAIT_DONE;
        wait->handler(-ETIMEDOUT, "IMDS gave no credentials in time", NULL, wait->userdata);
        break;
    case WAIT_ANSWER:
        wait->state = WAIT_DONE;
        if (credentials->error == 0) {
            wait->handler(0, "", &credentials->keys, wait->userdata);
        } else {
            _cleanup_(freep) char *text = strdup(credentials->text ? credentials->text : "out of memory");

            wait->handler(credentials->error, text ? text : "out of memory", NULL, wait->userdata);
        }
        break;
    case WAIT_DONE: assert(false);
    }
    return 0;
}

int credentials_get(Credentials *credentials, usec_t deadline, CredentialsHandler handler, void *userdata,
                    CredentialsWait **ret)
{
    _cleanup_(credentials_wait_freep) CredentialsWait *wait = NULL;
    int r;

    wait = calloc(1, sizeof(*wait));
    if (!wait)
        return -ENOMEM;
    *wait = (CredentialsWait){
        .credentials = credentials,
        .next = credentials->waits,
        .state = WAIT_FETCH,
        .deadline = deadline,
        .handler = handler,
        .userdata = userdata,
    };
    credentials->waits = wait;

    r = sd_event_add_time(credentials->event, &wait->source, CLOCK_MONOTONIC, deadline, 1, on_wait, wait);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(wait->source, "credentials-wait");
    (void)sd_event_source_set_priority(wait->source, HTTP_PRIORITY);

    if (credentials_usable(credentials)) {
        credentials->error = 0;
        wait_answer(wait);
    } else if (credentials->state == CREDENTIALS_IDLE) {
        credentials_fetch(credentials);
    }

    *ret = TAKE_PTR(wait);
    return 0;
}

CredentialsWait *credentials_wait_free(CredentialsWait *wait)
{
    if (!wait)
        return NULL;

    for (CredentialsWait **p = &wait->credentials->waits; *p; p = &(*p)->next)
        if (*p == wait) {
            *p = wait->next;
            break;
        }
    (void)sd_event_source_disable_unref(wait->source);
    return mfree(wait);
}

/* ------------------------------------------------------------------ session */

void credentials_invalidate(Credentials *credentials)
{
    credentials->invalid = true;
}

const char *credentials_role(const Credentials *credentials)
{
    return credentials->role;
}

int credentials_new(Credentials **ret, sd_event *event, Imds *imds)
{
    Credentials *credentials;

    credentials = calloc(1, sizeof(*credentials));
    if (!credentials)
        return -ENOMEM;
    *credentials = (Credentials){
        .event = sd_event_ref(event),
        .imds = imds,
        .state = CREDENTIALS_IDLE,
    };

    *ret = credentials;
    return 0;
}

Credentials *credentials_free(Credentials *credentials)
{
    if (!credentials)
        return NULL;
    assert(!credentials->waits);

    (void)imds_get_free(credentials->get);
    (void)sd_event_unref(credentials->event);
    aws_keys_done(&credentials->keys);
    free(credentials->role);
    free(credentials->text);
    return mfree(credentials);
}
