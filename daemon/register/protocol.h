#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The socket's language: paths and JSON in, JSON out. Pure. */

#include "util/macro.h"
#include <jansson.h>

#define PROTOCOL_BODY_MAX ((size_t)64 * 1024)

#define PROTOCOL_OWNER_MAX 256 /* bytes of an owner's name */

/* How the owners begin that the daemon gives to what it sees in pods. */
#define PROTOCOL_OWNER_WATCH "watch:"

/* A refusal. Strings are borrowed, and need not be UTF-8; NULL members are left out of the document. */
typedef struct ProtocolError {
    unsigned status;     /* HTTP status */
    const char *code;    /* one word for programs, such as "not_found" */
    const char *message; /* one sentence for people */
    const char *ec2_code;
    const char *ec2_request_id;
} ProtocolError;

/**
 * protocol_match() - whether a path is of a route's pattern
 * @pattern: such as "/v1/addresses/{ip}"; "{…}" as its last part stands for one non-empty part
 * @path: already percent-decoded
 * @ret_parameter: what stands in the place of "{…}", inside path; NULL when the pattern has none
 */
bool protocol_match(const char *pattern, const char *path, const char **ret_parameter);

/**
 * protocol_parse_object() - decode a request's body
 *
 * A body is one JSON object and nothing after it; a key given twice is an error.
 *
 * Return: 0 with *ret (released by the caller); -EINVAL with ret_message set; -ENOMEM.
 */
int protocol_parse_object(const char *text, size_t n, json_t **ret, char ret_message[static 256]);

/** protocol_owner_is_valid() - 1 to PROTOCOL_OWNER_MAX bytes of UTF-8 without control characters */
bool protocol_owner_is_valid(const char *owner);

/** protocol_owner_is_watch() - whether an owner is one of the daemon's own names, which no peer may use */
bool protocol_owner_is_watch(const char *owner);

/** protocol_error() - {"error": {...}}, or NULL when out of memory */
json_t *protocol_error(const ProtocolError *error);
