#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The Instance Metadata Service, version 2 only. */

#include "io/http.h"
#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Imds Imds;
typedef struct ImdsGet ImdsGet;

typedef struct ImdsReply {
    int error;        /* 0; -ENOENT for a 404; -EACCES for a 403 (IMDS disabled) or a lasting 401; else as
                         http_perform() */
    const char *text; /* words for the error, "" when none */
    const char *body; /* NUL-terminated, never NULL */
    size_t n_body;
} ImdsReply;

typedef void (*ImdsHandler)(const ImdsReply *reply, void *userdata);

/**
 * imds_new() - a session with the service; nothing is sent yet
 * @endpoint: "http://169.254.169.254"; copied
 *
 * One token is fetched with PUT when first needed and kept for its life; a 401 fetches a new one
 * and repeats the GET once. Transport errors and 5xx are repeated with back-off and jitter until
 * the deadline of the GET.
 */
int imds_new(Imds **ret, sd_event *event, Http *http, const char *endpoint, usec_t request_timeout);
Imds *imds_free(Imds *imds);

/**
 * imds_get() - fetch one path
 * @path: below /latest/, such as "meta-data/mac"
 * @deadline: CLOCK_MONOTONIC; the last error is reported then
 * @ret: owned by the caller; freeing it cancels
 *
 * Return: 0, -ENOMEM.
 */
int imds_get(Imds *imds, const char *path, usec_t deadline, ImdsHandler handler, void *userdata,
             ImdsGet **ret);
ImdsGet *imds_get_free(ImdsGet *get);

DEFINE_CLEANUP(Imds, imds_free)
DEFINE_CLEANUP(ImdsGet, imds_get_free)
