/* SPDX-License-Identifier: Apache-2.0 */

/*
 * AWS Signature Version 4, after the IAM User Guide, "Create a signed AWS API request":
 *
 *   canonical request = method, path, query, signed headers, their names, SHA-256 of the body
 *   string to sign    = algorithm, time, scope, SHA-256 of the canonical request
 *   signing key       = HMAC chain over date, region, service, "aws4_request"
 *
 * The headers signed are those the service insists on: host, date, token and content type. Proxies
 * may rewrite others, which would make a valid signature invalid.
 *
 * Only digests leave this file: keys derived on the way are wiped.
 */

#include "aws/sigv4.h"
#include "util/buf.h"
#include "util/sha256.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#define ALGORITHM    "AWS4-HMAC-SHA256"
#define TIME_TEXT    sizeof("20261121T105500Z")
#define DATE_LENGTH  8 /* of TIME_TEXT: the date alone */
#define N_HEADERS    4
#define HEADER_SCOPE "aws4_request"

typedef struct SignedHeader {
    const char *name;  /* as sent */
    const char *lower; /* as signed */
    const char *value; /* NULL: not sent */
} SignedHeader;

/* Sorted by their lower-case names, as they have to be signed. */
static void signed_headers(const Sigv4Request *request, const char *now, SignedHeader ret[static N_HEADERS])
{
    ret[0] = (SignedHeader){"Content-Type", "content-type", request->content_type};
    ret[1] = (SignedHeader){"Host", "host", request->host};
    ret[2] = (SignedHeader){"X-Amz-Date", "x-amz-date", now};
    ret[3] = (SignedHeader){"X-Amz-Security-Token", "x-amz-security-token", request->session_token};
}

static int time_format_basic(usec_t now, char ret[static TIME_TEXT])
{
    time_t seconds = (time_t)(now / USEC_PER_SEC);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || strftime(ret, TIME_TEXT, "%Y%m%dT%H%M%SZ", &tm) == 0)
        return -EIO;
    return 0;
}

/* Without space at the ends, and runs of space inside as one. */
static int append_trimmed(Buf *buf, const char *value)
{
    bool pending = false, any = false;
    int r;

    for (; *value; value++) {
        if (isspace((unsigned char)*value)) {
            pending = any;
            continue;
        }
        if (pending) {
            r = buf_putc(buf, ' ');
            if (r < 0)
                return r;
        }
        pending = false;
        any = true;
        r = buf_putc(buf, *value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int append_header_names(Buf *buf, const SignedHeader headers[static N_HEADERS])
{
    const char *separator = "";
    int r;

    for (size_t i = 0; i < N_HEADERS; i++) {
        if (!headers[i].value)
            continue;
        r = buf_printf(buf, "%s%s", separator, headers[i].lower);
        if (r < 0)
            return r;
        separator = ";";
    }
    return 0;
}

static int append_headers(Buf *buf, const SignedHeader headers[static N_HEADERS])
{
    int r;

    for (size_t i = 0; i < N_HEADERS; i++) {
        if (!headers[i].value)
            continue;
        r = buf_printf(buf, "%s:", headers[i].lower);
        if (r >= 0)
            r = append_trimmed(buf, headers[i].value);
        if (r >= 0)
            r = buf_putc(buf, '\n');
        if (r < 0)
            return r;
    }
    return 0;
}

static int digest_text(const void *data, size_t n, char ret[static SHA256_TEXT])
{
    uint8_t digest[SHA256_SIZE];
    int r;

    r = sha256(data, n, digest);
    if (r < 0)
        return r;
    (void)sha256_format(digest, ret);
    return 0;
}

/* SHA-256 of the canonical request, in hexadecimal. */
static int canonical_digest(const Sigv4Request *request, const SignedHeader headers[static N_HEADERS],
                            char ret[static SHA256_TEXT])
{
    _cleanup_buf_ Buf buf = BUF_NULL;
    char body[SHA256_TEXT];
    int r;

    r = digest_text(request->body, request->n_body, body);
    if (r < 0)
        return r;

    r = buf_printf(&buf, "%s\n%s\n%s\n", request->method, request->path, request->query);
    if (r >= 0)
        r = append_headers(&buf, headers);
    if (r >= 0)
        r = buf_putc(&buf, '\n');
    if (r >= 0)
        r = append_header_names(&buf, headers);
    if (r >= 0)
        r = buf_printf(&buf, "\n%s", body);
    if (r < 0)
        return r;
    return digest_text(buf.data, buf.n, ret);
}

static int signing_key(const Sigv4Request *request, const char *now, uint8_t ret[static SHA256_SIZE])
{
    const char *const parts[] = {request->region, request->service, HEADER_SCOPE};
    size_t n = strlen(request->secret_access_key);
    _cleanup_(freep) char *first = malloc(n + 5);
    uint8_t key[SHA256_SIZE], next[SHA256_SIZE];
    int r;

    if (!first)
        return -ENOMEM;
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, request->secret_access_key, n + 1);

    r = sha256_hmac(first, n + 4, now, DATE_LENGTH, key);
    for (size_t i = 0; i < ARRAY_SIZE(parts) && r >= 0; i++) {
        r = sha256_hmac(key, sizeof(key), parts[i], strlen(parts[i]), next);
        memcpy(key, next, sizeof(key));
    }
    if (r >= 0)
        memcpy(ret, key, sizeof(key));

    explicit_bzero(first, n + 4);
    explicit_bzero(key, sizeof(key));
    explicit_bzero(next, sizeof(next));
    return r;
}

static int sign_text(const Sigv4Request *request, const char *now, const char *text, size_t n,
                     char ret[static SHA256_TEXT])
{
    uint8_t key[SHA256_SIZE], signature[SHA256_SIZE];
    int r;

    r = signing_key(request, now, key);
    if (r < 0)
        return r;
    r = sha256_hmac(key, sizeof(key), text, n, signature);
    explicit_bzero(key, sizeof(key));
    if (r < 0)
        return r;
    (void)sha256_format(signature, ret);
    return 0;
}

/* The Authorization header's value into buf. */
static int authorize(const Sigv4Request *request, const char *now,
                     const SignedHeader headers[static N_HEADERS], Buf *buf)
{
    _cleanup_buf_ Buf scope = BUF_NULL, text = BUF_NULL;
    char digest[SHA256_TEXT], signature[SHA256_TEXT];
    int r;

    r = canonical_digest(request, headers, digest);
    if (r < 0)
        return r;
    r = buf_printf(&scope, "%.*s/%s/%s/" HEADER_SCOPE, DATE_LENGTH, now, request->region, request->service);
    if (r >= 0)
        r = buf_printf(&text, ALGORITHM "\n%s\n%s\n%s", now, scope.data, digest);
    if (r >= 0)
        r = sign_text(request, now, text.data, text.n, signature);
    if (r >= 0)
        r = buf_printf(buf, ALGORITHM " Credential=%s/%s, SignedHeaders=", request->access_key_id,
                       scope.data);
    if (r >= 0)
        r = append_header_names(buf, headers);
    if (r >= 0)
        r = buf_printf(buf, ", Signature=%s", signature);
    return r;
}

static int append_line(StrList *list, const char *name, const char *value)
{
    _cleanup_buf_ Buf line = BUF_NULL;
    int r;

    r = buf_printf(&line, "%s: %s", name, value);
    if (r < 0)
        return r;
    return strlist_append(list, line.data);
}

int sigv4_sign(const Sigv4Request *request, StrList *ret)
{
    _cleanup_strlist_ StrList lines = STRLIST_NULL;
    _cleanup_buf_ Buf authorization = BUF_NULL;
    SignedHeader headers[N_HEADERS];
    char now[TIME_TEXT];
    int r;

    r = time_format_basic(request->now, now);
    if (r < 0)
        return r;
    signed_headers(request, now, headers);
    r = authorize(request, now, headers, &authorization);
    if (r < 0)
        return r;

    for (size_t i = 0; i < N_HEADERS; i++) {
        if (!headers[i].value)
            continue;
        r = append_line(&lines, headers[i].name, headers[i].value);
        if (r < 0)
            return r;
    }
    r = append_line(&lines, "Authorization", authorization.data);
    if (r < 0)
        return r;

    *ret = lines;
    lines = STRLIST_NULL;
    return 0;
}
