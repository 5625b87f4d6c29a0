/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What goes over the socket, as far as it does not depend on what is asked for: which pattern a path
 * is of, what a body may be, and the one form of every refusal.
 *
 * All of it reads bytes of a peer, so nothing here has state, and JSON nests no deeper than jansson's
 * own limit allows (2048 levels, far within the stack).
 */

#include "register/protocol.h"
#include "util/utf8.h"
#include <errno.h>
#include <stdio.h>

bool protocol_match(const char *pattern, const char *path, const char **ret_parameter)
{
    const char *brace = strchr(pattern, '{');
    size_t n_fixed;

    if (!brace) {
        if (!streq(pattern, path))
            return false;
        *ret_parameter = NULL;
        return true;
    }

    n_fixed = (size_t)(brace - pattern);
    if (strncmp(pattern, path, n_fixed) != 0 || path[n_fixed] == '\0' || strchr(path + n_fixed, '/'))
        return false;
    *ret_parameter = path + n_fixed;
    return true;
}

int protocol_parse_object(const char *text, size_t n, json_t **ret, char ret_message[static 256])
{
    json_error_t error;
    json_t *document;

    document = json_loadb(n > 0 ? text : "", n, JSON_REJECT_DUPLICATES, &error);
    if (!document) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return -ENOMEM;
        (void)snprintf(ret_message, 256, "the body is not JSON: %.160s (line %d, column %d)", error.text,
                       error.line, error.column);
        return -EINVAL;
    }
    if (!json_is_object(document)) {
        json_decref(document);
        (void)snprintf(ret_message, 256, "the body is not a JSON object");
        return -EINVAL;
    }

    *ret = document;
    return 0;
}

/* It becomes JSON, and a field of the journal. */
bool protocol_owner_is_valid(const char *owner)
{
    size_t n = strnlen(owner, PROTOCOL_OWNER_MAX + 1);

    if (n == 0 || n > PROTOCOL_OWNER_MAX)
        return false;
    for (const char *p = owner; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return utf8_is_clean(owner);
}

bool protocol_owner_is_watch(const char *owner)
{
    return strncmp(owner, PROTOCOL_OWNER_WATCH, strlen(PROTOCOL_OWNER_WATCH)) == 0;
}

/* What a peer or EC2 has said stands in it, cut where it did not fit. NULL for NULL, or out of memory. */
static json_t *text_json(const char *text)
{
    _cleanup_(freep) char *clean = text ? strdup(text) : NULL;

    if (!clean)
        return NULL;
    utf8_clean(clean);
    return json_string(clean);
}

json_t *protocol_error(const ProtocolError *error)
{
    return json_pack("{s:{s:s, s:o, s:o*, s:o*}}", "error", "code", error->code, "message",
                     text_json(error->message), "ec2_code", text_json(error->ec2_code), "ec2_request_id",
                     text_json(error->ec2_request_id));
}
