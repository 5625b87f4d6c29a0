/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Signs requests for an independent judge: one JSON object a line on stdin (the members of
 * Sigv4Request, times in seconds), the signed headers as one JSON object a line on stdout.
 */

#include "aws/sigv4.h"
#include <jansson.h>
#include <stdio.h>

static const char *text(const json_t *root, const char *name)
{
    return json_string_value(json_object_get(root, name));
}

static const char *text_or_empty(const json_t *root, const char *name)
{
    const char *value = text(root, name);

    return value ? value : "";
}

static int sign(const json_t *root)
{
    _cleanup_strlist_ StrList lines = STRLIST_NULL;
    Sigv4Request request = {
        .access_key_id = text_or_empty(root, "access_key_id"),
        .secret_access_key = text_or_empty(root, "secret_access_key"),
        .session_token = text(root, "session_token"),
        .region = text_or_empty(root, "region"),
        .service = text_or_empty(root, "service"),
        .method = text_or_empty(root, "method"),
        .host = text_or_empty(root, "host"),
        .path = text_or_empty(root, "path"),
        .query = text_or_empty(root, "query"),
        .content_type = text(root, "content_type"),
        .body = text_or_empty(root, "body"),
        .n_body = json_string_length(json_object_get(root, "body")),
        .now = (usec_t)json_integer_value(json_object_get(root, "now")) * USEC_PER_SEC,
    };
    json_t *headers = json_object();
    int r;

    r = sigv4_sign(&request, &lines);
    for (size_t i = 0; r >= 0 && i < lines.n; i++) {
        char *colon = strchr(lines.items[i], ':');

        *colon = '\0';
        (void)json_object_set_new(headers, lines.items[i], json_string(colon + 2));
    }
    (void)json_dumpf(headers, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(headers);
    return r;
}

int main(void)
{
    char *line = NULL;
    size_t n = 0;
    int r = 0;

    while (r >= 0 && getline(&line, &n, stdin) > 0) {
        json_t *root = json_loads(line, 0, NULL);

        r = root ? sign(root) : -1;
        json_decref(root);
    }
    free(line);
    return r < 0;
}
