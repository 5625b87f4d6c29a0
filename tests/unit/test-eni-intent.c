/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The journal of creations: what survives, what does not, and that it is written no more than needed.
 */

#include "eni/intent.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include "util/fs.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define NOW     FAKE_CLOCK_REALTIME
#define CREATED "2026-09-21T14:13:20.000Z" /* NOW */

static Cloud cloud;

static int setup(void **state _unused_)
{
    cloud_init(&cloud);
    return 0;
}

static int teardown(void **state _unused_)
{
    cloud_done(&cloud);
    return 0;
}

static Intents *load(const char *instance_id)
{
    Intents *intents = NULL;

    assert_int_equal(intents_load(&intents, cloud.path, instance_id), 0);
    return intents;
}

static const char *get(Intents *intents, const char *network, usec_t now)
{
    const char *created = NULL;

    assert_int_equal(intents_get(intents, network, now, &created), 0);
    return created;
}

static void test_survives(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = load(CLOUD_INSTANCE), *again = NULL, *other = NULL;
    _cleanup_(freep) char *text = NULL;

    assert_string_equal(get(intents, "oam", NOW), CREATED);
    assert_string_equal(get(intents, "oam", NOW + USEC_PER_SEC), CREATED);
    assert_string_equal(get(intents, "media", NOW + USEC_PER_MSEC), "2026-09-21T14:13:20.001Z");
    assert_int_equal(fs_read_file(cloud.path, 4096, &text, NULL), -ENOENT);
    assert_int_equal(intents_commit(intents), 0);
    assert_int_equal(fs_read_file(cloud.path, 4096, &text, NULL), 0);
    assert_string_equal(text, "{\"version\":1,\"instance_id\":\"i-1\",\"created\":{\"oam\":\"" CREATED
                              "\",\"media\":\"2026-09-21T14:13:20.001Z\"}}");

    again = load(CLOUD_INSTANCE);
    assert_string_equal(get(again, "oam", NOW + USEC_PER_MINUTE), CREATED);
    other = load("i-2");
    assert_string_not_equal(get(other, "oam", NOW + USEC_PER_MINUTE), CREATED);
}

/* Whether any run before has made something here: its journal says so, even when it is empty by now. */
static void test_first(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = load(CLOUD_INSTANCE), *again = NULL, *other = NULL;

    assert_true(intents_are_first(intents));
    (void)get(intents, "oam", NOW);
    intents_drop(intents, "oam");
    assert_int_equal(intents_commit(intents), 0);
    assert_true(intents_are_first(intents));
    again = load(CLOUD_INSTANCE);
    assert_false(intents_are_first(again));
    other = load("i-2");
    assert_true(intents_are_first(other));
}

static void test_dropped(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = load(CLOUD_INSTANCE), *again = NULL;

    (void)get(intents, "oam", NOW);
    assert_int_equal(intents_commit(intents), 0);
    intents_drop(intents, "oam");
    intents_drop(intents, "unknown");
    assert_int_equal(intents_commit(intents), 0);
    again = load(CLOUD_INSTANCE);
    assert_string_not_equal(get(again, "oam", NOW + USEC_PER_SEC), CREATED);
    assert_string_not_equal(get(intents, "oam", NOW + USEC_PER_SEC), CREATED);
}

static void test_forgotten_with_its_interface(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = load(CLOUD_INSTANCE);

    (void)get(intents, "oam", NOW);
    intents_forget(intents, "oam", "2026-09-20T00:00:00.000Z"); /* of an older interface */
    assert_string_equal(get(intents, "oam", NOW + USEC_PER_SEC), CREATED);
    intents_forget(intents, "oam", CREATED);
    assert_string_not_equal(get(intents, "oam", NOW + USEC_PER_SEC), CREATED);
}

static Allocation allocation(const char *ipv4, const char *ipv6)
{
    Allocation addresses = ALLOCATION_NULL;

    assert_int_equal(in_addr_parse(ipv4, &addresses.ipv4), 0);
    if (ipv6)
        assert_int_equal(in_addr_parse(ipv6, &addresses.ipv6), 0);
    return addresses;
}

static void set_addresses(Intents *intents, const char *network, const Allocation *addresses)
{
    assert_int_equal(intents_set_addresses(intents, network, addresses), 0);
}

static void assert_addresses(const Intents *intents, const char *network, const char *ipv4, const char *ipv6)
{
    Allocation addresses;
    char text[IN_ADDR_TEXT];

    assert_true(intents_addresses(intents, network, &addresses));
    assert_string_equal(in_addr_format(&addresses.ipv4, text), ipv4);
    assert_string_equal(in_addr_format(&addresses.ipv6, text), ipv6);
}

/* They are of one intent: with it they go. */
static void test_addresses(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = load(CLOUD_INSTANCE), *again = NULL, *third = NULL;
    Allocation both = allocation("10.0.1.4", "2001:db8::4"), one = allocation("10.0.2.4", NULL), none;

    (void)get(intents, "oam", NOW);
    (void)get(intents, "media", NOW);
    assert_false(intents_addresses(intents, "oam", &none));
    set_addresses(intents, "oam", &both);
    set_addresses(intents, "media", &one);
    assert_int_equal(intents_commit(intents), 0);

    again = load(CLOUD_INSTANCE);
    assert_addresses(again, "oam", "10.0.1.4", "2001:db8::4");
    assert_addresses(again, "media", "10.0.2.4", "");
    set_addresses(again, "media", &ALLOCATION_NULL);
    assert_false(intents_addresses(again, "media", &none));
    intents_drop(again, "oam");
    assert_int_equal(intents_commit(again), 0);
    third = load(CLOUD_INSTANCE);
    assert_false(intents_addresses(third, "oam", &none));
    assert_false(intents_addresses(third, "media", &none));

    (void)get(intents, "oam", NOW + 10 * USEC_PER_MINUTE);
    assert_false(intents_addresses(intents, "oam", &none));
}

static void test_bad_addresses(void **state _unused_)
{
    static const char *const texts[] = {
        "7", "\"\"", "\" \"", "\"10.0.1\"", "\"10.0.1.4 \"", "\"10.0.1.4 x\"", "[\"10.0.1.4\"]", "null",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_(intents_freep) Intents *intents = NULL;
        char text[256];
        Allocation none;

        (void)snprintf(text, sizeof(text),
                       "{\"version\":1,\"instance_id\":\"i-1\",\"created\":{\"oam\":\"" CREATED
                       "\"},\"addresses\":{\"oam\":%s}}",
                       texts[i]);
        assert_int_equal(fs_write_file(cloud.path, text, strlen(text), 0600, FS_SYNC_NO), 0);
        intents = load(CLOUD_INSTANCE);
        assert_string_equal(get(intents, "oam", NOW + USEC_PER_SEC), CREATED);
        if (intents_addresses(intents, "oam", &none))
            fail_msg("taken over from %s", text);
    }
}

static void test_too_old(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = load(CLOUD_INSTANCE);

    (void)get(intents, "oam", NOW);
    assert_string_equal(get(intents, "oam", NOW + 9 * USEC_PER_MINUTE), CREATED);
    assert_string_not_equal(get(intents, "oam", NOW + 10 * USEC_PER_MINUTE), CREATED);
}

/* Each ends in an empty journal, and never in an error. */
static void test_bad_files(void **state _unused_)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"version\":1,\"instance_id\":\"i-1\",\"created\":{\"oam\":\"" CREATED,
        "{\"version\":2,\"instance_id\":\"i-1\",\"created\":{\"oam\":\"" CREATED "\"}}",
        "{\"version\":1,\"instance_id\":\"i-2\",\"created\":{\"oam\":\"" CREATED "\"}}",
        "{\"version\":1,\"instance_id\":1,\"created\":{\"oam\":\"" CREATED "\"}}",
        "{\"version\":1,\"created\":{\"oam\":\"" CREATED "\"}}",
        "{\"version\":1,\"instance_id\":\"i-1\",\"created\":[\"" CREATED "\"]}",
        "{\"version\":1,\"instance_id\":\"i-1\",\"created\":{\"oam\":7}}",
        "{\"version\":1,\"instance_id\":\"i-1\",\"created\":{\"oam\":\"\"}}",
        "{\"version\":1,\"instance_id\":\"i-1\",\"created\":{\"oam\":\"yesterday\"}}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_(intents_freep) Intents *intents = NULL;

        assert_int_equal(fs_write_file(cloud.path, texts[i], strlen(texts[i]), 0600, FS_SYNC_NO), 0);
        intents = load(CLOUD_INSTANCE);
        if (streq(get(intents, "oam", NOW + USEC_PER_SEC), CREATED))
            fail_msg("taken over from %s", texts[i]);
    }
}

/* Waiting for the disk costs: nothing new, nothing written. */
static void test_committed_once(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = load(CLOUD_INSTANCE);
    struct stat before, after;

    assert_int_equal(intents_commit(intents), 0);
    assert_int_equal(stat(cloud.path, &before), -1);
    (void)get(intents, "oam", NOW);
    assert_int_equal(intents_commit(intents), 0);
    assert_int_equal(stat(cloud.path, &before), 0);
    assert_int_equal(before.st_mode & 07777, 0600);
    (void)get(intents, "oam", NOW);
    assert_int_equal(intents_commit(intents), 0);
    assert_int_equal(stat(cloud.path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino); /* each write makes another file */
}

static void test_not_writable(void **state _unused_)
{
    _cleanup_(intents_freep) Intents *intents = NULL;
    char path[160];

    (void)snprintf(path, sizeof(path), "%s/missing/intents.json", cloud.dir);
    assert_int_equal(intents_load(&intents, path, CLOUD_INSTANCE), 0);
    (void)get(intents, "oam", NOW);
    assert_int_equal(intents_commit(intents), -ENOENT);
    assert_int_equal(intents_commit(intents), -ENOENT); /* it is still to be done */
    assert_string_equal(get(intents, "oam", NOW + USEC_PER_SEC), CREATED);
}

int main(void)
{
#define TEST(_test) cmocka_unit_test_setup_teardown(_test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_survives),       TEST(test_first),
        TEST(test_dropped),        TEST(test_forgotten_with_its_interface),
        TEST(test_addresses),      TEST(test_bad_addresses),
        TEST(test_too_old),        TEST(test_bad_files),
        TEST(test_committed_once), TEST(test_not_writable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
