#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* HTTP client: libcurl's multi interface bound to an sd-event loop. */

#include "util/macro.h"
#include "util/time.h"
#include <systemd/sd-event.h>

/* Of sd-event sources: what is to be sent goes out before anything that takes its time, such as writing
 * files. */
#define HTTP_PRIORITY (SD_EVENT_PRIORITY_NORMAL - 1)

typedef struct Http Http;
typedef struct HttpSlot HttpSlot;

/* What holds for every transfer; strings are copied. */
typedef struct HttpOptions {
    const char *ca_file;    /* PEM bundle instead of the system's, or NULL */
    const char *proxy;      /* URL of the proxy; NULL: HTTPS_PROXY and NO_PROXY of the environment */
    const char *user_agent; /* or NULL */
} HttpOptions;

typedef struct HttpRequest {
    const char *method;         /* "GET", "PUT", "POST" */
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const void *body;           /* copied; NULL with n_body 0 for none */
    size_t n_body;
    size_t max_reply; /* bytes of body; more is -EFBIG */
    usec_t timeout;   /* from the call of http_perform(), connect included */
    bool direct;      /* never through a proxy: link-local services */
} HttpRequest;

/* Valid during the handler's call only. */
typedef struct HttpReply {
    int error;        /* 0 when a whole reply came, else negative, see http_perform() */
    const char *text; /* libcurl's words for the error, "" when there was none */
    unsigned status;  /* HTTP status; 0 with an error */
    const char *body; /* NUL-terminated, never NULL */
    size_t n_body;
    usec_t date; /* Date header as CLOCK_REALTIME, 0 when absent; also set with an error once seen */
    bool sent;   /* the request may have reached the server: a failed call may have been carried out */
    usec_t elapsed;
} HttpReply;

typedef void (*HttpHandler)(const HttpReply *reply, void *userdata);

/**
 * http_new() - a client on the loop (kept referenced)
 *
 * Connections are kept alive and reused. TLS certificates and host names are always verified;
 * redirects are never followed.
 *
 * Return: 0, -ENOMEM, or the errno of sd-event; -EIO when libcurl cannot be initialised.
 */
int http_new(Http **ret, sd_event *event, const HttpOptions *options);

/** http_free() - all slots must be gone; returns NULL */
Http *http_free(Http *http);

/**
 * http_perform() - start one transfer
 * @handler: called exactly once from the loop, never from inside this call, unless the slot is freed before
 * @ret: owned by the caller; after the handler was called it must still be freed (inside it is fine)
 *
 * Errors in the reply: -ETIMEDOUT, -ECONNREFUSED (also: unreachable), -ECONNRESET (cut short),
 * -EHOSTUNREACH (name not resolved), -EKEYREJECTED (certificate or TLS), -EFBIG (longer than
 * max_reply), -EPROTO (not HTTP), -EIO (anything else).
 *
 * Return: 0, -EINVAL for an unusable URL, -ENOMEM.
 */
int http_perform(Http *http, const HttpRequest *request, HttpHandler handler, void *userdata, HttpSlot **ret);

/** http_slot_free() - cancels the transfer when still under way; NULL is fine; returns NULL */
HttpSlot *http_slot_free(HttpSlot *slot);

DEFINE_CLEANUP(Http, http_free)
DEFINE_CLEANUP(HttpSlot, http_slot_free)
