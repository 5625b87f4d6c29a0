/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A request and its one owner. While its body comes in, and while it is held back, the server's
 * connection owns it; from request_handle() on, the handler does, until it answers. A peer that goes
 * away cuts the tie to the connection and nothing else: a registration that is on its way to EC2 must
 * be brought to its end and recorded, whether anybody still waits for it or not. Handlers that had
 * rather stop ask to be told.
 *
 * Nothing here knows HTTP's wire or libmicrohttpd: the transport is one callback that takes the answer,
 * so handlers are tested without a server.
 */

#include "register/request.h"
#include "util/log.h"
#include <errno.h>

/* Of the 17 digits of a double the last two are noise: 3.679 ms, not 3.6789999999999998. */
#define REAL_PRECISION 15

struct Request {
    RequestState state; /* written by request_set_state() alone */
    const Route *route;
    char *parameter;
    KeyValueList query;
    Peer peer;
    Buf body;
    RequestAnswered answered; /* NULL: detached */
    void *answered_userdata;
    RequestVanished vanished;
    void *vanished_userdata;
};

static const char *state_to_string(RequestState state)
{
    static const char *const names[_REQUEST_STATE_MAX] = {
        [REQUEST_STATE_RECEIVING] = "receiving",
        [REQUEST_STATE_HELD] = "held",
        [REQUEST_STATE_HANDLED] = "handled",
    };

    return names[state];
}

static void request_set_state(Request *request, RequestState state)
{
    static const unsigned edges[_REQUEST_STATE_MAX] _unused_ = {
        [REQUEST_STATE_RECEIVING] = 1 << REQUEST_STATE_HELD | 1 << REQUEST_STATE_HANDLED,
        [REQUEST_STATE_HELD] = 1 << REQUEST_STATE_HANDLED,
        [REQUEST_STATE_HANDLED] = 0,
    };

    assert(edges[request->state] & 1U << state);
    log_debug("request %s %s: %s -> %s", request->route->method, request->route->pattern,
              state_to_string(request->state), state_to_string(state));
    request->state = state;
}

int request_new(Request **ret, const Route *route, const char *parameter, const Peer *peer,
                RequestAnswered answered, void *userdata)
{
    _cleanup_(request_freep) Request *request = calloc(1, sizeof(*request));

    if (!request || replace_string(&request->parameter, parameter) < 0)
        return -ENOMEM;
    request->state = REQUEST_STATE_RECEIVING;
    request->route = route;
    request->peer = *peer;
    request->answered = answered;
    request->answered_userdata = userdata;

    *ret = TAKE_PTR(request);
    return 0;
}

Request *request_free(Request *request)
{
    if (!request)
        return NULL;
    free(request->parameter);
    keyvalue_list_done(&request->query);
    buf_done(&request->body);
    free(request);
    return NULL;
}

int request_receive(Request *request, const char *data, size_t n)
{
    assert(request->state == REQUEST_STATE_RECEIVING);

    if (n > PROTOCOL_BODY_MAX - request->body.n)
        return -EMSGSIZE;
    return buf_append(&request->body, data, n);
}

void request_hold(Request *request)
{
    request_set_state(request, REQUEST_STATE_HELD);
}

void request_handle(Request *request, void *userdata)
{
    request_set_state(request, REQUEST_STATE_HANDLED);
    request->route->handler(request, userdata);
}

void request_detach(Request *request)
{
    request->answered = NULL;
    switch (request->state) {
    case REQUEST_STATE_RECEIVING:
    case REQUEST_STATE_HELD: (void)request_free(request); break;
    case REQUEST_STATE_HANDLED:
        if (request->vanished)
            request->vanished(request, request->vanished_userdata);
        break;
    case _REQUEST_STATE_MAX: assert(false);
    }
}

void request_on_vanished(Request *request, RequestVanished vanished, void *userdata)
{
    request->vanished = vanished;
    request->vanished_userdata = userdata;
}

RequestState request_state(const Request *request)
{
    return request->state;
}

const Route *request_route(const Request *request)
{
    return request->route;
}

const Peer *request_peer(const Request *request)
{
    return &request->peer;
}

const char *request_parameter(const Request *request)
{
    return request->parameter;
}

const char *request_query(const Request *request, const char *key)
{
    return keyvalue_list_get(&request->query, key);
}

int request_add_query(Request *request, const char *key, const char *value)
{
    return keyvalue_list_append(&request->query, key, value ? value : "");
}

int request_body(const Request *request, json_t **ret, char ret_message[static 256])
{
    return protocol_parse_object(request->body.data, request->body.n, ret, ret_message);
}

void answer_done(Answer *answer)
{
    answer->text = mfree(answer->text);
}

int answer_from_json(Answer *ret, unsigned status, json_t *document)
{
    Answer answer = {.status = status, .content_type = "application/json"};

    if (document) {
        answer.text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(REAL_PRECISION));
        json_decref(document);
    }
    if (!answer.text) {
        answer.status = 500;
        answer.text = strdup("{\"error\":{\"code\":\"internal\",\"message\":\"out of memory\"}}");
        if (!answer.text)
            return -ENOMEM;
    }
    answer.n = strlen(answer.text);

    *ret = answer;
    return 0;
}

/* The one end of a handled request: the answer to the transport, if there still is one. */
static void request_finish(Request *request, Answer *answer)
{
    assert(request->state == REQUEST_STATE_HANDLED);

    if (request->answered)
        request->answered(request, answer, request->answered_userdata);
    else
        answer_done(answer);
    (void)request_free(request);
}

void request_answer(Request *request, unsigned status, json_t *document)
{
    Answer answer = {.status = 500, .content_type = "application/json"};

    /* Out of memory even for "out of memory": an empty 500. */
    (void)answer_from_json(&answer, status, document);
    request_finish(request, &answer);
}

void request_answer_text(Request *request, unsigned status, const char *content_type, char *text_take)
{
    Answer answer = {.status = text_take ? status : 500,
                     .content_type = content_type,
                     .text = text_take,
                     .n = text_take ? strlen(text_take) : 0};

    request_finish(request, &answer);
}

void request_refuse(Request *request, const ProtocolError *error)
{
    request_answer(request, error->status, protocol_error(error));
}
