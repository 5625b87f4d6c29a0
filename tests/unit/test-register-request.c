/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A request's life without a server: who owns it when, and where its answer goes.
 */

#include "lib/test.h"
#include "register/request.h"
#include "util/macro.h"
#include <errno.h>

typedef struct Transport {
    unsigned n_answers, n_vanished;
    Answer answer;
    Request *handled;
} Transport;

static void on_answered(Request *request, Answer *answer, void *userdata)
{
    Transport *transport = userdata;

    (void)request;
    transport->n_answers++;
    transport->answer = *answer;
}

static void on_vanished(Request *request, void *userdata)
{
    Transport *transport = userdata;

    assert_ptr_equal(request, transport->handled);
    transport->n_vanished++;
}

static void handler(Request *request, void *userdata)
{
    Transport *transport = userdata;

    transport->handled = request;
    request_on_vanished(request, on_vanished, transport);
}

static const Route route = {"PUT", "/v1/x/{y}", handler, false};
static const Peer peer = {.pid = 7, .uid = 8, .gid = 9};

static Request *request_of(Transport *transport)
{
    Request *request;

    assert_int_equal(request_new(&request, &route, "y", &peer, on_answered, transport), 0);
    return request;
}

static void test_members(void **state)
{
    Transport transport = {0};
    Request *request = request_of(&transport);
    char message[256];
    json_t *body;

    (void)state;
    assert_string_equal(request_parameter(request), "y");
    assert_int_equal(request_peer(request)->uid, 8);
    assert_int_equal(request_add_query(request, "owner", "a"), 0);
    assert_int_equal(request_add_query(request, "flag", NULL), 0);
    assert_string_equal(request_query(request, "owner"), "a");
    assert_string_equal(request_query(request, "flag"), "");
    assert_null(request_query(request, "none"));

    assert_int_equal(request_body(request, &body, message), -EINVAL);
    assert_int_equal(request_receive(request, "{\"a\"", 4), 0);
    assert_int_equal(request_receive(request, ":1}", 3), 0);
    assert_int_equal(request_body(request, &body, message), 0);
    assert_int_equal(json_integer_value(json_object_get(body, "a")), 1);
    json_decref(body);
    assert_null(request_free(request));
    assert_int_equal(transport.n_answers, 0);
}

static void test_body_limit(void **state)
{
    static const char bytes[PROTOCOL_BODY_MAX];
    Transport transport = {0};
    Request *request = request_of(&transport);

    (void)state;
    assert_int_equal(request_receive(request, bytes, sizeof(bytes) - 1), 0);
    assert_int_equal(request_receive(request, bytes, 2), -EMSGSIZE);
    assert_int_equal(request_receive(request, bytes, 1), 0);
    assert_int_equal(request_receive(request, bytes, 1), -EMSGSIZE);
    (void)request_free(request);
}

static void test_answers(void **state)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {
        {200, "{\"a\":1,\"ms\":3.679}"},
        {500, "{\"error\":{\"code\":\"internal\",\"message\":\"out of memory\"}}"},
        {409, "{\"error\":{\"code\":\"owned\",\"message\":\"by another\"}}"},
        {200, "up 1\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        Transport transport = {0};

        request_handle(request_of(&transport), &transport);
        switch (i) {
        case 0:
            request_answer(transport.handled, 200, json_pack("{s:i, s:f}", "a", 1, "ms", 3679 / 1000.0));
            break;
        case 1: request_answer(transport.handled, 200, NULL); break;
        case 2:
            request_refuse(transport.handled,
                           &(ProtocolError){.status = 409, .code = "owned", .message = "by another"});
            break;
        case 3: request_answer_text(transport.handled, 200, "text/plain", strdup("up 1\n")); break;
        }
        assert_int_equal(transport.n_answers, 1);
        assert_int_equal(transport.answer.status, rows[i].status);
        assert_string_equal(transport.answer.text, rows[i].text);
        assert_int_equal(transport.answer.n, strlen(rows[i].text));
        answer_done(&transport.answer);
    }
}

/* Before its handler has it, a request ends with its connection; afterwards it outlives it. */
static void test_detach(void **state)
{
    Transport transport = {0};
    Request *request;

    (void)state;
    request_detach(request_of(&transport));
    request = request_of(&transport);
    request_hold(request);
    assert_int_equal(request_state(request), REQUEST_STATE_HELD);
    request_detach(request);
    assert_int_equal(transport.n_vanished, 0);

    request = request_of(&transport);
    request_hold(request);
    request_handle(request, &transport);
    assert_int_equal(request_state(request), REQUEST_STATE_HANDLED);
    request_detach(request);
    assert_int_equal(transport.n_vanished, 1);
    request_answer(transport.handled, 200, json_object());
    assert_int_equal(transport.n_answers, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_detach),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
