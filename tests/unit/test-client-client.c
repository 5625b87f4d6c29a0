/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is sent to the daemon and how its refusals are read; the exchange itself is tested with the
 * programs that use it, in tests/system.
 */

#include "client/client.h"
#include "lib/test.h"
#include <errno.h>
#include <unistd.h>

static void test_release_path(void **state)
{
    _cleanup_buf_ Buf path = BUF_NULL;

    (void)state;
    assert_int_equal(client_release_path(&path, "2001:db8::7", "cni:oam/a_b-c.d~/x y&z=%\xc3\xa9"), 0);
    assert_string_equal(path.data,
                        "/v1/addresses/2001%3Adb8%3A%3A7?owner=cni%3Aoam%2Fa_b-c.d~%2Fx%20y%26z%3D%25%C3%A9");
}

static void test_register_body(void **state)
{
    static const char *const addresses[] = {"10.0.1.7", "2001:db8::7"};
    static const struct {
        const char *interface;
        const char *text;
    } rows[] = {
        {"eth1",
         "{\"owner\":\"o\",\"addresses\":[{\"address\":\"10.0.1.7\",\"interface\":\"eth1\"},"
         "{\"address\":\"2001:db8::7\",\"interface\":\"eth1\"}]}"},
        {NULL, "{\"owner\":\"o\",\"addresses\":[{\"address\":\"10.0.1.7\"},{\"address\":\"2001:db8::7\"}]}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_json_ json_t *body = client_register_body("o", rows[i].interface, addresses, 2);
        _cleanup_(freep) char *text = json_dumps(body, JSON_COMPACT);

        assert_string_equal(text, rows[i].text);
    }
}

static void test_refusal(void **state)
{
    _cleanup_json_ json_t *document =
        json_pack("{s:{s:s, s:s, s:i}}", "error", "code", "word", "message", "sentence", "ec2_code", 1);
    ClientRefusal refusal = client_refusal(document);

    (void)state;
    assert_string_equal(refusal.code, "word");
    assert_string_equal(refusal.message, "sentence");
    assert_null(refusal.ec2_code);
    assert_null(refusal.ec2_request_id);

    refusal = client_refusal(NULL);
    assert_null(refusal.message);
}

static void test_is_temporary(void **state)
{
    static const struct {
        unsigned status;
        const char *code;
        bool temporary;
    } rows[] = {
        {429, "too_fast", true},   {503, "not_ready", true}, {504, "deadline", true},
        {409, "busy", true},       {409, "reserved", false}, {409, NULL, false},
        {400, "bad_owner", false}, {502, "busy", false},     {500, "internal", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_json_ json_t *document = json_pack("{s:{s:s*}}", "error", "code", rows[i].code);

        assert_int_equal(client_is_temporary(rows[i].status, document), rows[i].temporary);
    }
    assert_true(client_is_temporary(503, NULL));
    assert_false(client_is_temporary(409, NULL));
}

static int call(const char *socket_path, ClientError *ret_error)
{
    _cleanup_(client_freep) Client *client = NULL;
    ClientReply reply = CLIENT_REPLY_NULL;
    int r;

    assert_int_equal(client_new(&client, socket_path, "test"), 0);
    r = client_call(client, "GET", "/", NULL, USEC_PER_SEC, &reply, ret_error);
    assert_null(reply.document);
    return r;
}

/* Only of the unit's own socket it is known what starts the daemon. */
static void test_no_daemon(void **state)
{
    static const struct {
        const char *path;
        const char *message;
        int r;
    } rows[] = {
        {"/nonexistent/sock", "there is no socket at /nonexistent/sock", -ENOENT},
        {"/etc/passwd", "there is no socket at /etc/passwd", -ECONNREFUSED},
        {"", "there is no socket at ''", -ECONNREFUSED},
    };
    char path[201];
    ClientError error;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(call(rows[i].path, &error), rows[i].r);
        assert_string_equal(error.message, rows[i].message);
        assert_string_equal(error.advice, "");
    }

    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(call(path, &error), -ENAMETOOLONG);
    assert_string_equal(error.message,
                        "there is no socket at a path of 200 characters: at most 107 are allowed");
    assert_string_equal(error.advice, "");
}

static void test_no_daemon_at_the_usual_socket(void **state)
{
    ClientError error;

    (void)state;
    if (access(CLIENT_SOCKET, F_OK) == 0)
        skip();
    assert_int_equal(call(CLIENT_SOCKET, &error), -ENOENT);
    assert_string_equal(error.message, CLIENT_SOCKET ": the daemon is not running");
    assert_non_null(strstr(error.advice, "systemctl start"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_release_path), cmocka_unit_test(test_register_body),
        cmocka_unit_test(test_refusal),      cmocka_unit_test(test_is_temporary),
        cmocka_unit_test(test_no_daemon),    cmocka_unit_test(test_no_daemon_at_the_usual_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
