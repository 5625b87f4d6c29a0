/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How many boots have failed in a row: counted, forgotten, and what a damaged count does.
 */

#include "lib/test.h"
#include "tries.h"
#include "util/fs.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[64];

static const char *file(void)
{
    static char path[PATH_MAX];

    assert_int_equal(fs_path(path, "%s/tries", directory), 0);
    return path;
}

static int setup(void **unused _unused_)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/test-tries-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **unused _unused_)
{
    assert_int_equal(fs_unlink(file()), 0);
    return rmdir(directory);
}

static void test_count(void **unused _unused_)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned n = 1; n <= TRIES_MAX; n++)
            assert_int_equal(tries_failed(directory), n);
    assert_int_equal(access(file(), F_OK), -1);
}

static void test_forget(void **unused _unused_)
{
    assert_int_equal(tries_failed(directory), 1);
    assert_int_equal(tries_failed(directory), 2);
    tries_forget(directory);
    tries_forget(directory);
    assert_int_equal(tries_failed(directory), 1);
}

/* Never more tries than there are, whatever stands there. */
static void test_damaged(void **unused _unused_)
{
    static const struct {
        const char *text;
        unsigned n;
    } rows[] = {
        {"", 1},
        {"two\n", 1},
        {"-1\n", TRIES_MAX},
        {"4711\n", TRIES_MAX},
        {"3", 4},
        {"11111111111111111111111111111111\n", 1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(fs_write_file(file(), rows[i].text, strlen(rows[i].text), 0644, FS_SYNC_NO), 0);
        assert_int_equal(tries_failed(directory), rows[i].n);
    }
}

/* It cannot be counted: then systemd's limit is the only one. */
static void test_no_directory(void **unused _unused_)
{
    for (unsigned n = 0; n < 2 * TRIES_MAX; n++)
        assert_int_equal(tries_failed("/nonexistent/multus-eks"), 1);
    tries_forget("/nonexistent/multus-eks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test(test_no_directory),
    };

    return cmocka_run_group_tests_name("tries", tests, NULL, NULL);
}
