/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Small files: replaced whole, read within a limit, nothing left behind on failure.
 */

#include "lib/test.h"
#include "util/fs.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/test-fs-XXXXXX";

static const char *at(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static size_t count_files(void)
{
    DIR *dir = opendir(directory);
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n - 2; /* . and .. */
}

static void test_write_and_read(void **state)
{
    static const FsSync syncs[] = {FS_SYNC_NO, FS_SYNC_YES};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(syncs); i++) {
        _cleanup_(freep) char *text = NULL;
        struct stat st;
        size_t n = 0;

        assert_int_equal(fs_write_file(at("file"), "old, longer", 11, 0600, syncs[i]), 0);
        assert_int_equal(fs_write_file(at("file"), "n\0w", 3, 0640, syncs[i]), 0);
        assert_int_equal(fs_read_file(at("file"), 3, &text, &n), 0);
        assert_int_equal(n, 3);
        assert_memory_equal(text, "n\0w", 4);
        assert_int_equal(stat(at("file"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(count_files(), 1);
    }
    assert_int_equal(fs_unlink(at("file")), 0);
    assert_int_equal(fs_unlink(at("file")), 0);
}

static void test_limits(void **state)
{
    _cleanup_(freep) char *text = NULL;

    (void)state;
    assert_int_equal(fs_read_file(at("absent"), 10, &text, NULL), -ENOENT);
    assert_int_equal(fs_write_file(at("file"), "1234", 4, 0600, FS_SYNC_NO), 0);
    assert_int_equal(fs_read_file(at("file"), 3, &text, NULL), -EFBIG);
    assert_null(text);
    assert_int_equal(fs_write_file(at("file"), "", 0, 0600, FS_SYNC_NO), 0);
    assert_int_equal(fs_read_file(at("file"), 0, &text, NULL), 0);
    assert_string_equal(text, "");
    assert_int_equal(fs_unlink(at("file")), 0);
}

/* A directory stands where the file should go: the old is kept, the temporary file is gone. */
static void test_failure_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(fs_mkdir_p(at("a/b"), 0700), 0);
    assert_int_equal(fs_mkdir_p(at("a/b"), 0700), 0);
    assert_int_equal(fs_write_file(at("a"), "x", 1, 0600, FS_SYNC_NO), -EISDIR);
    assert_int_equal(count_files(), 1);
    assert_int_equal(fs_write_file(at("no/such"), "x", 1, 0600, FS_SYNC_NO), -ENOENT);
    assert_int_equal(rmdir(at("a/b")), 0);
    assert_int_equal(rmdir(at("a")), 0);
    assert_int_equal(fs_mkdir_p("", 0700), -EINVAL);
}

/* Never creates: a sysctl that is not there is an error, not a file. */
static void test_value(void **state)
{
    _cleanup_(freep) char *text = NULL;

    (void)state;
    assert_int_equal(fs_write_value(at("value"), "1"), -ENOENT);
    assert_int_equal(fs_write_file(at("value"), "", 0, 0600, FS_SYNC_NO), 0);
    assert_int_equal(fs_write_value(at("value"), "1"), 0);
    assert_int_equal(fs_read_file(at("value"), 9, &text, NULL), 0);
    assert_string_equal(text, "1");
    assert_int_equal(fs_unlink(at("value")), 0);
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void test_update_and_remove(void **state)
{
    static const char *const others[] = {"text\n", "tex", "", "tixt"};
    bool changed = false;
    ino_t inode;

    (void)state;
    assert_int_equal(fs_update_file(at("file"), "text", 0644, FS_SYNC_NO, &changed), 0);
    assert_true(changed);
    inode = inode_of(at("file"));
    changed = false;
    assert_int_equal(fs_update_file(at("file"), "text", 0644, FS_SYNC_NO, &changed), 0);
    assert_false(changed);
    assert_true(inode == inode_of(at("file")));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_int_equal(fs_write_file(at("file"), others[i], strlen(others[i]), 0600, FS_SYNC_NO), 0);
        changed = false;
        assert_int_equal(fs_update_file(at("file"), "text", 0644, FS_SYNC_NO, &changed), 0);
        assert_true(changed);
    }

    changed = false;
    assert_int_equal(fs_remove_file(at("file"), &changed), 0);
    assert_true(changed);
    changed = false;
    assert_int_equal(fs_remove_file(at("file"), &changed), 0);
    assert_false(changed);
}

static void test_path(void **state)
{
    char path[PATH_MAX], component[PATH_MAX];

    (void)state;
    assert_int_equal(fs_path(path, "%s/%d", "/run", 1), 0);
    assert_string_equal(path, "/run/1");
    memset(component, 'x', sizeof(component) - 1);
    component[sizeof(component) - 1] = '\0';
    assert_int_equal(fs_path(path, "%s", component), 0);
    assert_int_equal(fs_path(path, "/%s", component), -ENAMETOOLONG);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(directory);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),         cmocka_unit_test(test_limits),
        cmocka_unit_test(test_failure_leaves_nothing), cmocka_unit_test(test_value),
        cmocka_unit_test(test_update_and_remove),      cmocka_unit_test(test_path),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
