#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* AWS Signature Version 4 for POSTed bodies. Pure. */

#include "util/macro.h"
#include "util/strlist.h"
#include "util/time.h"

typedef struct Sigv4Request {
    const char *access_key_id;
    const char *secret_access_key;
    const char *session_token; /* or NULL */
    const char *region;
    const char *service; /* "ec2", "autoscaling" */
    const char *method;
    const char *host;         /* value of the Host header: with :port where not the scheme's own */
    const char *path;         /* already encoded, "/" for the root */
    const char *query;        /* canonical query string, "" for none */
    const char *content_type; /* signed when not NULL */
    const void *body;
    size_t n_body;
    usec_t now; /* CLOCK_REALTIME as the server sees it */
} Sigv4Request;

/**
 * sigv4_sign() - the headers that make the request valid
 *
 * *ret gets "Host: …", "Content-Type: …" where given, "X-Amz-Date: …", "X-Amz-Security-Token: …"
 * where given, and "Authorization: …".
 * Source: IAM User Guide, "Create a signed AWS API request".
 *
 * Return: 0; -ENOMEM; -EIO when libcrypto refuses.
 */
int sigv4_sign(const Sigv4Request *request, StrList *ret);
