/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a peer of the socket sends: the first line is a path, the rest a body.
 */

#include "register/protocol.h"
#include "util/utf8.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* It is quoted, whole or cut, and the answer is a document in every case. */
static void fuzz_refusal(const char *text)
{
    char message[32];
    ProtocolError error = {.status = 400, .code = "word", .message = message, .ec2_code = text};
    json_t *document;
    char *answer;

    (void)snprintf(message, sizeof(message), "\"%.*s\": %s", (int)utf8_cut(text, 8), text, text);
    document = protocol_error(&error);
    answer = json_dumps(document, JSON_COMPACT);
    assert(document && answer);
    free(answer);
    json_decref(document);
}

static void fuzz_members(json_t *document)
{
    const char *key;
    json_t *value;

    json_object_foreach(document, key, value)
    {
        fuzz_refusal(key);
        if (json_is_string(value))
            fuzz_refusal(json_string_value(value));
    }
}

static void fuzz_path(const uint8_t *data, size_t n)
{
    static const char *const patterns[] = {"/v1/status", "/v1/addresses", "/v1/addresses/{ip}"};
    char *path = strndup((const char *)data, n);

    for (size_t i = 0; path && i < ARRAY_SIZE(patterns); i++) {
        const char *parameter = NULL;

        if (protocol_match(patterns[i], path, &parameter) && parameter) {
            assert(parameter[0] && !strchr(parameter, '/'));
            fuzz_refusal(parameter);
        }
    }
    free(path);
}

static void fuzz_body(const char *text, size_t n)
{
    char message[256] = "";
    json_t *document = NULL;
    int r;

    r = protocol_parse_object(text, n, &document, message);
    if (r == 0) {
        assert(json_is_object(document));
        fuzz_members(document);
        json_decref(document);
    } else {
        assert(!document && message[0] && memchr(message, '\0', sizeof(message)));
        fuzz_refusal(message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const uint8_t *line = n > 0 ? memchr(data, '\n', n) : NULL;
    size_t n_path = line ? (size_t)(line - data) : 0;

    if (n > PROTOCOL_BODY_MAX)
        return 0;
    if (!line) {
        fuzz_body((const char *)data, n);
        return 0;
    }
    fuzz_path(data, n_path);
    fuzz_body((const char *)line + 1, n - n_path - 1);
    return 0;
}
