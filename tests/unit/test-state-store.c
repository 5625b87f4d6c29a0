/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is written is read again; what is broken anywhere is not believed at all.
 */

#include "lib/test.h"
#include "state/store.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define INSTANCE "i-1"

static Registration *add(State *state, const char *text, RegistrationState registration_state,
                         const char *owner, bool assigned)
{
    Registration *r;
    InAddr address;

    assert_int_equal(in_addr_parse(text, &address), 0);
    assert_int_equal(state_add(state, &address, "eni-1", &r), 0);
    assert_int_equal(registration_set(r, registration_state, owner, "boot", 1790000000000000), 0);
    r->assigned = assigned;
    return r;
}

static State *sample(void)
{
    Registration *r;
    State *state;

    assert_int_equal(state_new(&state), 0);
    (void)add(state, "10.0.1.20", REGISTRATION_WANTED, "pod \"a\" \\ \xc3\xa9", true);
    (void)add(state, "10.0.1.21", REGISTRATION_WANTED, "not yet", false);
    (void)add(state, "10.0.1.22", REGISTRATION_RELEASED, "", true);
    r = add(state, "2001:db8::20", REGISTRATION_STALE, "old", true);
    assert_int_equal(state_note_moved_away(state, r, 1790000000000001), 0);
    r = add(state, "10.0.1.23", REGISTRATION_WANTED, "away", true);
    assert_int_equal(state_note_moved_away(state, r, 1790000000000002), 0);
    state_remove(state, r);
    for (size_t i = 0; i < 3; i++) {
        static const char *const own[] = {"2001:db8::1", "2001:db8::1", "2001:db8::2"};
        InAddr address;

        assert_int_equal(in_addr_parse(own[i], &address), 0);
        assert_int_equal(state_note_own(state, "eni-1", &address), i != 1);
    }
    return state;
}

static const Registration *find(const State *state, const char *text)
{
    InAddr address;

    assert_int_equal(in_addr_parse(text, &address), 0);
    return state_find(state, &address);
}

static void test_round_trip(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = sample(), *again = NULL;
    _cleanup_(freep) char *text = store_encode(state, INSTANCE);
    const Registration *r;

    assert_non_null(text);
    assert_int_equal(store_decode(text, strlen(text), INSTANCE, &again), 0);
    assert_int_equal(state_n(again), 3);
    r = find(again, "10.0.1.20");
    assert_string_equal(r->owner, "pod \"a\" \\ \xc3\xa9");
    assert_string_equal(r->boot_id, "boot");
    assert_string_equal(r->network_interface_id, "eni-1");
    assert_int_equal(r->since, 1790000000000000);
    assert_false(r->assigned);
    assert_null(find(again, "10.0.1.21"));
    assert_int_equal(find(again, "10.0.1.22")->state, REGISTRATION_RELEASED);
    assert_int_equal(find(again, "2001:db8::20")->state, REGISTRATION_STALE);
    assert_int_equal(state_n(state_moved_away(again)), 2);
    r = find(state_moved_away(again), "10.0.1.23");
    assert_string_equal(r->owner, "away");
    assert_string_equal(r->boot_id, "boot");
    assert_int_equal(r->since, 1790000000000002);
    assert_int_equal(state_n(state_own(again)), 1);
    assert_true(in_addr_equal(state_find_own(again, "eni-1"), state_find_own(state, "eni-1")));
    assert_null(state_find_own(again, "eni-2"));
}

/* What waits for its interface is stored as it is; but of an address the one that is there counts. */
static void test_aside(void **unused _unused_)
{
    static const char *const owners[] = {"waits", "waits", "came"};

    for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
        _cleanup_(state_freep) State *state = NULL, *again = NULL;
        _cleanup_(freep) char *text = NULL;

        assert_int_equal(state_new(&state), 0);
        (void)add(state, "10.0.1.19", REGISTRATION_WANTED, "first", true);
        assert_int_equal(state_put_aside(state, add(state, "10.0.1.20", REGISTRATION_WANTED, "waits", false)),
                         0);
        assert_int_equal(state_put_aside(state, add(state, "10.0.1.18", REGISTRATION_RELEASED, "", true)), 0);
        assert_int_equal(state_n(state), 1);
        if (i > 0)
            (void)add(state, "10.0.1.20", REGISTRATION_WANTED, "came", i == 2);
        text = store_encode(state, INSTANCE);
        assert_int_equal(store_decode(text, strlen(text), INSTANCE, &again), 0);
        assert_int_equal(state_n(again), 3);
        assert_null(state_aside(again));
        assert_string_equal(find(again, "10.0.1.20")->owner, owners[i]);
        assert_int_equal(find(again, "10.0.1.18")->state, REGISTRATION_RELEASED);
    }
}

/* While one moves, the file says what was answered last. */
static void test_moving(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = NULL, *again = NULL;
    _cleanup_(freep) char *text = NULL;
    usec_t released_since;
    Registration *r;

    assert_int_equal(state_new(&state), 0);
    r = add(state, "10.0.1.20", REGISTRATION_WANTED, "first", true);
    assert_int_equal(registration_move(r, "eni-2"), 0);
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, "second", NULL, 2), 0);
    r = add(state, "10.0.1.21", REGISTRATION_RELEASED, "first", true);
    released_since = r->since;
    assert_int_equal(registration_move(r, "eni-2"), 0);
    assert_int_equal(registration_set(r, REGISTRATION_WANTED, "second", NULL, released_since + 1), 0);
    text = store_encode(state, INSTANCE);
    assert_int_equal(store_decode(text, strlen(text), INSTANCE, &again), 0);
    assert_string_equal(find(again, "10.0.1.20")->owner, "first");
    assert_string_equal(find(again, "10.0.1.20")->network_interface_id, "eni-1");
    assert_int_equal(find(again, "10.0.1.21")->state, REGISTRATION_RELEASED);
    assert_int_equal(find(again, "10.0.1.21")->since, released_since);
}

/* Cut anywhere but in the white space at its end, the file is damaged. */
static void test_truncated(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = sample();
    _cleanup_(freep) char *text = store_encode(state, INSTANCE);
    State *again = NULL;

    for (size_t n = 0; n < strlen(text) - 1; n++)
        assert_int_equal(store_decode(text, n, INSTANCE, &again), STORE_E_DAMAGED);
    assert_null(again);
}

#define HEAD "{\"version\":1,\"instance_id\":\"i-1\",\"addresses\":["
#define REST "\"owner\":\"o\",\"boot_id\":\"b\",\"state\":\"wanted\",\"since\":1}"
#define LINE "{\"address\":\"10.0.1.20\",\"network_interface_id\":\"eni-1\"," REST
#define TAIL "]}"

static void test_decode(void **unused _unused_)
{
    static const struct {
        const char *text;
        int result;
    } rows[] = {
        {HEAD TAIL, 0},
        {HEAD LINE TAIL, 0},
        {HEAD LINE "," LINE TAIL, STORE_E_DAMAGED},
        {HEAD LINE "],\"moved_away\":[" LINE TAIL, 0},
        {HEAD LINE "],\"moved_away\":[" LINE "," LINE TAIL, STORE_E_DAMAGED},
        {HEAD LINE "],\"moved_away\":{}}", STORE_E_DAMAGED},
        {HEAD "1" TAIL, STORE_E_DAMAGED},
        {HEAD "{}" TAIL, STORE_E_DAMAGED},
        {HEAD "{\"address\":\"10.0.1\",\"network_interface_id\":\"eni-1\"," REST TAIL, STORE_E_DAMAGED},
        {HEAD "{\"address\":\"10.0.1.20\",\"network_interface_id\":\"\"," REST TAIL, STORE_E_DAMAGED},
        {HEAD "{\"address\":\"10.0.1.20\",\"network_interface_id\":\"eni-1\",\"owner\":\"o\",\"boot_id\":"
              "\"b\",\"state\":\"odd\",\"since\":1}" TAIL,
         STORE_E_DAMAGED},
        {HEAD "{\"address\":\"10.0.1.20\",\"network_interface_id\":\"eni-1\",\"owner\":\"o\",\"boot_id\":"
              "\"b\",\"state\":\"stale\",\"since\":-1}" TAIL,
         STORE_E_DAMAGED},
        {"{\"version\":1,\"instance_id\":\"i-2\",\"addresses\":[]}", STORE_E_FOREIGN},
        {"{\"version\":1,\"instance_id\":\"i-1\",\"addresses\":{}}", STORE_E_DAMAGED},
        {"{\"version\":0,\"instance_id\":\"i-1\",\"addresses\":[]}", STORE_E_DAMAGED},
        {"{\"version\":2}", STORE_E_NEWER},
        {"{\"version\":\"1\"}", STORE_E_DAMAGED},
        {"[]", STORE_E_DAMAGED},
        {"", STORE_E_DAMAGED},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(state_freep) State *state = NULL;

        assert_int_equal(store_decode(rows[i].text, strlen(rows[i].text), INSTANCE, &state), rows[i].result);
        assert_int_equal(state != NULL, rows[i].result == 0);
    }
}

static void test_file(void **unused _unused_)
{
    _cleanup_(state_freep) State *state = sample(), *again = NULL;
    char dir[] = "/tmp/test-store-XXXXXX", path[64];
    struct stat st;

    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/a.json", dir);
    assert_int_equal(store_load(path, INSTANCE, &again), STORE_E_ABSENT);
    assert_int_equal(store_save(path, state, INSTANCE), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600); /* owners are nobody else's business */
    assert_int_equal(store_load(path, INSTANCE, &again), 0);
    assert_int_equal(state_n(again), 3);
    assert_int_equal(store_load(dir, INSTANCE, &again), -EISDIR);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(store_save(path, state, INSTANCE), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_aside),  cmocka_unit_test(test_moving),
        cmocka_unit_test(test_truncated),  cmocka_unit_test(test_decode), cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
