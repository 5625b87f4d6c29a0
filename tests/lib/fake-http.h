#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* An HTTP server on loopback and on the test's own event loop, that does what the test tells it. */

#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct FakeHttp FakeHttp;

typedef struct FakeRequest {
    const char *method;
    const char *target;
    const char *headers; /* the lines after the first, as they came */
    const char *body;
    size_t n_body;
    unsigned n;          /* the how many-th request, from 1 */
    unsigned connection; /* on the how many-th connection, from 1 */
} FakeRequest;

typedef enum FakeHow {
    FAKE_REPLY, /* status, headers, body */
    FAKE_RAW,   /* these bytes, then close */
    FAKE_CLOSE, /* close without a word */
    FAKE_HANG,  /* say nothing */
} FakeHow;

typedef struct FakeReply {
    FakeHow how;
    unsigned status;     /* 200 unless set */
    const char *headers; /* further lines, each with \r\n; may be NULL */
    const char *body;
    size_t n_body; /* 0: strlen(body) */
} FakeReply;

typedef void (*FakeHttpHandler)(const FakeRequest *request, FakeReply *reply, void *userdata);

/** fake_http_new() - listen on 127.0.0.1, any port; asserts instead of failing */
FakeHttp *fake_http_new(sd_event *event, FakeHttpHandler handler, void *userdata);
FakeHttp *fake_http_free(FakeHttp *fake);

/** fake_http_url() - "http://127.0.0.1:PORT" */
const char *fake_http_url(const FakeHttp *fake);

/** fake_request_header() - value of a header into a static buffer, or NULL */
const char *fake_request_header(const FakeRequest *request, const char *name);

/** fake_run_until() - run the loop until *done; fails the test after five seconds without an event */
void fake_run_until(sd_event *event, const bool *done);
