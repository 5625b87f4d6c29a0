/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a runtime hands to the CNI plugin: environment and configuration, right and wrong.
 */

#include "cni/input.h"
#include "lib/test.h"
#include <stdio.h>

static const InputEnvironment environment = {
    .command = "ADD", .container_id = "c0ffee", .ifname = "net1", .netns = "/proc/self/ns/net"};

#define HEAD "{\"cniVersion\":\"1.0.0\",\"name\":\"oam\","

static int parse(const char *text, const InputEnvironment *env, Input *ret, CniError *ret_error)
{
    return input_parse(text, strlen(text), env, ret, ret_error);
}

static void test_add(void **state)
{
    static const char text[] = HEAD
        "\"master\":\"eth1\",\"timeout\":2.5,\"prevResult\":{\"interfaces\":[{\"name\":\"net1\"},"
        "{\"name\":\"net1\",\"sandbox\":\"/x\"}],\"ips\":[{\"address\":\"10.0.1.1/24\",\"interface\":0},"
        "{\"address\":\"10.0.1.7/24\",\"interface\":1},{\"address\":\"2001:db8::7/64\"},"
        "{\"address\":\"2001:db8:0::7/64\",\"interface\":1},{\"address\":\"fe80::7/64\",\"interface\":1}]}}";
    _cleanup_input_ Input input = INPUT_NULL;
    char address[IN_ADDR_TEXT];
    CniError error;

    (void)state;
    assert_int_equal(parse(text, &environment, &input, &error), 0);
    assert_int_equal(input.command, CNI_COMMAND_ADD);
    assert_string_equal(input.owner, "cni:oam/c0ffee/net1");
    assert_string_equal(input.master, "eth1");
    assert_string_equal(input.socket_path, "/run/multus-eks/multus-eks.sock");
    assert_true(input.timeout == 2500 * USEC_PER_MSEC);
    assert_int_equal(input.n_addresses, 2);
    assert_string_equal(in_addr_format(&input.addresses[0], address), "10.0.1.7");
    assert_string_equal(in_addr_format(&input.addresses[1], address), "2001:db8::7");
}

static void test_wrong(void **state)
{
    static const struct {
        const char *command;
        const char *text;
        CniCode code;
    } rows[] = {
        {"ADD", "", CNI_CODE_DECODE},
        {"ADD", "[]", CNI_CODE_DECODE},
        {"NOTHING", HEAD "\"prevResult\":{}}", CNI_CODE_ENVIRONMENT},
        {"ADD", "{\"name\":\"oam\",\"prevResult\":{}}", CNI_CODE_VERSION},
        {"ADD", "{\"cniVersion\":\"1.0.0\",\"name\":\"a/b\",\"prevResult\":{}}", CNI_CODE_CONFIG},
        {"ADD", "{\"cniVersion\":\"1.0.0\",\"name\":\"a\\u0000b\",\"prevResult\":{}}", CNI_CODE_CONFIG},
        {"ADD", "{\"cniVersion\":\"1.0.0\",\"prevResult\":{}}", CNI_CODE_CONFIG},
        {"ADD", HEAD "\"prevResult\":null}", CNI_CODE_CONFIG},
        {"ADD", HEAD "\"prevResult\":{\"ips\":[{\"address\":\"10.0.1.7\"}]}}", CNI_CODE_CONFIG},
        {"ADD", HEAD "\"prevResult\":{},\"timeout\":\"30\"}", CNI_CODE_CONFIG},
        {"ADD", HEAD "\"prevResult\":{},\"socket\":\"x\"}", CNI_CODE_CONFIG},
        {"GC", HEAD "\"cni.dev/valid-attachments\":[]}", CNI_CODE_VERSION},
        {"GC", "{\"cniVersion\":\"1.1.0\",\"name\":\"oam\"}", CNI_CODE_CONFIG},
        {"CHECK", "{\"cniVersion\":\"0.3.1\",\"name\":\"oam\",\"prevResult\":{}}", CNI_CODE_VERSION},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        InputEnvironment changed = environment;
        Input input = INPUT_NULL;
        CniError error = {0};

        changed.command = rows[i].command;
        assert_true(parse(rows[i].text, &changed, &input, &error) < 0);
        assert_int_equal(error.code, rows[i].code);
        assert_true(error.message[0]);
        assert_null(input.config);
    }
}

static void test_left_over(void **state)
{
    static const char text[] =
        "{\"cniVersion\":\"1.1.0\",\"name\":\"oam\",\"cni.dev/valid-attachments\":["
        "{\"containerID\":\"beef\",\"ifname\":\"net1\"},{\"containerID\":\"bee\",\"ifname\":\"f/net1\"}]}";
    static const struct {
        const char *owner;
        bool left_over;
    } rows[] = {
        {"cni:oam/beef/net1", false}, {"cni:oam/beef/net2", true},   {"cni:oam/bee/net1", true},
        {"cni:oam/dead/net1", true},  {"cni:oam2/dead/net1", false}, {"cni:oam/dead", false},
        {"cni:oam", false},           {"watch:1:2", false},          {"", false},
    };
    const InputEnvironment gc = {.command = "GC"};
    _cleanup_input_ Input input = INPUT_NULL;
    CniError error;

    (void)state;
    assert_int_equal(parse(text, &gc, &input, &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(input_is_left_over(&input, rows[i].owner), rows[i].left_over);
}

/* DEL takes of prevResult what it understands. */
static void test_del(void **state)
{
    static const struct {
        const char *result;
        size_t n;
    } rows[] = {
        {"{\"ips\":[{\"address\":\"10.0.1.7/24\"},{\"address\":\"2001:db8::7/64\"}]}", 2},
        {"{\"ips\":[{\"address\":\"10.0.1.8\"},7,{\"address\":\"10.0.1.7/24\"}]}", 1},
        {"{\"ips\":[{\"address\":\"10.0.1.8/24\",\"interface\":0}],\"interfaces\":[{\"name\":\"eth1\"}]}", 0},
        {"{\"ips\":{}}", 0},
        {"[]", 0},
        {"null", 0},
    };
    InputEnvironment del = environment;
    CniError error;

    (void)state;
    del.command = "DEL";
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_input_ Input input = INPUT_NULL;
        char text[512];

        (void)snprintf(text, sizeof(text), HEAD "\"prevResult\":%s}", rows[i].result);
        assert_int_equal(parse(text, &del, &input, &error), 0);
        assert_int_equal(input.n_addresses, rows[i].n);
        assert_int_equal(input_has_address(&input, "10.0.1.7"), rows[i].n > 0);
        assert_int_equal(input_has_address(&input, "2001:db8:0::7"), rows[i].n > 1);
        assert_false(input_has_address(&input, "10.0.1.8"));
        assert_false(input_has_address(&input, "x"));
    }
}

/* DEL takes the default of a key that is wrong, and says so. */
static void test_del_with_wrong_keys(void **state)
{
    static const struct {
        const char *keys;
        const char *socket_path;
        usec_t timeout;
        const char *overlooked;
    } rows[] = {
        {"\"timeout\":\"30\",\"socket\":\"/x\"", "/x", 30 * USEC_PER_SEC, "timeout"},
        {"\"timeout\":0", "/run/multus-eks/multus-eks.sock", 30 * USEC_PER_SEC, "timeout"},
        {"\"socket\":\"rel\",\"timeout\":2", "/run/multus-eks/multus-eks.sock", 2 * USEC_PER_SEC, "socket"},
        {"\"socket\":[]", "/run/multus-eks/multus-eks.sock", 30 * USEC_PER_SEC, "socket"},
        {"\"master\":1,\"socket\":\"/x\"", "/x", 30 * USEC_PER_SEC, "master"},
        {"\"master\":\"\",\"timeout\":2", "/run/multus-eks/multus-eks.sock", 2 * USEC_PER_SEC, "master"},
        {"\"master\":\"eth1\"", "/run/multus-eks/multus-eks.sock", 30 * USEC_PER_SEC, NULL},
    };
    InputEnvironment del = environment;
    CniError error;

    (void)state;
    del.command = "DEL";
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_input_ Input input = INPUT_NULL;
        char text[512];

        (void)snprintf(text, sizeof(text), HEAD "%s}", rows[i].keys);
        assert_int_equal(parse(text, &del, &input, &error), 0);
        assert_string_equal(input.socket_path, rows[i].socket_path);
        assert_true(input.timeout == rows[i].timeout);
        if (rows[i].overlooked)
            assert_non_null(strstr(input.overlooked.details, rows[i].overlooked));
        else
            assert_string_equal(input.overlooked.details, "");
    }
}

/* A number that is no 64-bit integer is JSON all the same: DEL does with it what it can. */
static void test_del_with_a_long_number(void **state)
{
    static const char text[] = HEAD
        "\"timeout\":2,\"prevResult\":{\"ips\":[{\"address\":\"10.0.1.7/24\"}],\"x\":18446744073709551615}}";
    static const char mistake[] = HEAD "\"x\":18446744073709551615,\"y\":}";
    InputEnvironment changed = environment;
    _cleanup_input_ Input input = INPUT_NULL;
    CniError error;

    (void)state;
    assert_true(parse(text, &changed, &input, &error) < 0);
    assert_int_equal(error.code, CNI_CODE_DECODE);
    changed.command = "DEL";
    assert_true(parse(mistake, &changed, &input, &error) < 0);
    assert_int_equal(error.code, CNI_CODE_DECODE);
    assert_int_equal(parse(text, &changed, &input, &error), 0);
    assert_string_equal(input.owner, "cni:oam/c0ffee/net1");
    assert_true(input.timeout == 2 * USEC_PER_SEC);
    assert_true(input_has_address(&input, "10.0.1.7"));
    assert_non_null(strstr(input.overlooked.details, "integer"));
}

/* VERSION is answered in the version of the asker, where that is known. */
static void test_version(void **state)
{
    static const struct {
        const char *text;
        const char *version;
    } rows[] = {
        {"{\"cniVersion\":\"0.3.0\"}", "0.3.0"},
        {"{\"cniVersion\":\"1.0.0\"}", "1.0.0"},
        {"{\"cniVersion\":\"1.0.0\",\"x\":18446744073709551615}", "1.0.0"},
        {"{\"cniVersion\":\"1.1.0\"}", "1.1.0"},
        {"{\"cniVersion\":\"0.2.0\"}", "1.1.0"},
        {"{\"cniVersion\":1}", "1.1.0"},
        {"[]", "1.1.0"},
        {"", "1.1.0"},
    };
    const InputEnvironment asker = {.command = "VERSION"};
    CniError error;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_input_ Input input = INPUT_NULL;

        assert_int_equal(parse(rows[i].text, &asker, &input, &error), 0);
        assert_string_equal(input.version, rows[i].version);
    }
}

/* None is valid: libcni writes an empty list as null. */
static void test_none_valid(void **state)
{
    static const char *const texts[] = {
        "{\"cniVersion\":\"1.1.0\",\"name\":\"oam\",\"cni.dev/valid-attachments\":null}",
        "{\"cniVersion\":\"1.1.0\",\"name\":\"oam\",\"cni.dev/valid-attachments\":[]}",
    };
    const InputEnvironment gc = {.command = "GC"};
    CniError error;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_input_ Input input = INPUT_NULL;

        assert_int_equal(parse(texts[i], &gc, &input, &error), 0);
        assert_true(input_is_left_over(&input, "cni:oam/beef/net1"));
        assert_false(input_is_left_over(&input, "cni:oam2/beef/net1"));
    }
}

static void test_error_details_are_cut_off(void **state)
{
    CniError error;

    (void)state;
    assert_true(cni_error(&error, CNI_CODE_AGAIN, "%s", "later") < 0);
    for (int i = 0; i < 1000; i++)
        cni_error_add(&error, "%s", "word");
    assert_int_equal(error.code, CNI_CODE_AGAIN);
    assert_string_equal(error.message, "later");
    assert_int_equal(strlen(error.details), sizeof(error.details) - 1);
    assert_memory_equal(error.details, "word word ", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_del),
        cmocka_unit_test(test_del_with_wrong_keys),
        cmocka_unit_test(test_del_with_a_long_number),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_none_valid),
        cmocka_unit_test(test_error_details_are_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
