/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The device plugin's resource list: what it says, and whose file it is.
 */

#include "device-plugin.h"
#include "lib/test.h"
#include "util/fs.h"
#include "util/json.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static const PluginDevice devices[] = {
    {.network = "eth2", .driver = "vfio-pci", .address = "0000:00:07.0"},
    {.network = "n6-data.up", .driver = "igb_uio", .address = "0000:00:08.0"},
};

static const char *file(void)
{
    static char path[PATH_MAX];

    assert_int_equal(fs_path(path, "%s" DEVICE_PLUGIN_FILE, root), 0);
    return path;
}

static char *contents(void)
{
    char *text = NULL;

    assert_int_equal(fs_read_file(file(), 65536, &text, NULL), 0);
    return text;
}

static void put(const char *text)
{
    char path[PATH_MAX];

    assert_int_equal(fs_path(path, "%s/etc/pcidp", root), 0);
    assert_int_equal(fs_mkdir_p(path, 0755), 0);
    assert_int_equal(fs_write_file(file(), text, strlen(text), 0644, FS_SYNC_NO), 0);
}

static ino_t inode(void)
{
    struct stat st;

    assert_int_equal(stat(file(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    return st.st_ino;
}

/* As the plugin decodes it: the members it knows, of the types it expects. */
static void assert_resource(const json_t *document, size_t i, const char *name, const char *address,
                            const char *driver)
{
    const char *n, *a, *d;
    json_t *resource = json_array_get(json_object_get(document, "resourceList"), i);

    assert_int_equal(json_unpack(resource, "{s:s, s:{s:[s!], s:[s!]}!}", "resourceName", &n, "selectors",
                                 "pciAddresses", &a, "drivers", &d),
                     0);
    assert_string_equal(n, name);
    assert_string_equal(a, address);
    assert_string_equal(d, driver);
}

static void test_list(void **state)
{
    _cleanup_json_ json_t *document = NULL;
    bool changed = false;
    ino_t before;

    (void)state;
    assert_int_equal(device_plugin_set_list(root, devices, 2, &changed), 0);
    assert_true(changed);
    document = json_load_file(file(), 0, NULL);
    assert_int_equal(json_array_size(json_object_get(document, "resourceList")), 2);
    assert_resource(document, 0, "eth2", "0000:00:07.0", "vfio-pci");
    assert_resource(document, 1, "n6_data_up", "0000:00:08.0", "igb_uio");

    /* Again: the very same file, which a replacement would not be. */
    before = inode();
    changed = false;
    assert_int_equal(device_plugin_set_list(root, devices, 2, &changed), 0);
    assert_false(changed);
    assert_true(before == inode());

    assert_int_equal(device_plugin_set_list(root, devices, 1, &changed), 0);
    assert_true(changed);
    assert_int_equal(device_plugin_set_list(root, NULL, 0, &changed), 0);
    assert_int_equal(access(file(), F_OK), -1);
    changed = false;
    assert_int_equal(device_plugin_set_list(root, NULL, 0, &changed), 0);
    assert_false(changed);
}

static void test_names_of_two(void **state)
{
    const PluginDevice twins[] = {
        {.network = "a-b", .driver = "vfio-pci", .address = "0000:00:07.0"},
        {.network = "a.b", .driver = "vfio-pci", .address = "0000:00:08.0"},
    };
    bool changed = false;

    (void)state;
    assert_int_equal(device_plugin_set_list(root, twins, 2, &changed), DEVICE_PLUGIN_E_NAMES);
    assert_int_equal(access(file(), F_OK), -1);
    assert_int_equal(device_plugin_set_list(root, twins, 1, &changed), 0);
    assert_true(changed);
    changed = false;
    assert_int_equal(device_plugin_set_list(root, twins, 2, &changed), DEVICE_PLUGIN_E_NAMES);
    assert_false(changed);
}

static void test_users_file(void **state)
{
    static const char *const texts[] = {
        "{\"resourceList\": [{\"resourceName\": \"mine\", \"selectors\": {\"drivers\": [\"vfio-pci\"]}}]}\n",
        "{\"writtenBy\": \"somebody\"}",
        "{\"writtenBy\": [\"multus-eksd\"]}",
        "[\"writtenBy\", \"multus-eksd\"]",
        "\"writtenBy\": \"multus-eksd\"",
        "",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_(freep) char *text = NULL;
        bool changed = false;

        put(texts[i]);
        assert_int_equal(device_plugin_set_list(root, devices, 2, &changed), DEVICE_PLUGIN_E_USERS);
        assert_int_equal(device_plugin_set_list(root, NULL, 0, &changed), 0);
        assert_false(changed);
        text = contents();
        assert_string_equal(text, texts[i]);
    }
}

/* Ours, until the line that says so is taken out. */
static void test_edited(void **state)
{
    _cleanup_json_ json_t *document = NULL;
    bool changed = false;

    (void)state;
    assert_int_equal(device_plugin_set_list(root, devices, 2, &changed), 0);
    document = json_load_file(file(), 0, NULL);
    assert_int_equal(json_object_set_new(document, "more", json_true()), 0);
    assert_int_equal(json_dump_file(document, file(), 0), 0);
    changed = false;
    assert_int_equal(device_plugin_set_list(root, devices, 2, &changed), 0);
    assert_true(changed);

    assert_int_equal(json_object_del(document, "writtenBy"), 0);
    assert_int_equal(json_dump_file(document, file(), 0), 0);
    assert_int_equal(device_plugin_set_list(root, devices, 2, &changed), DEVICE_PLUGIN_E_USERS);
}

static void test_cannot(void **state)
{
    char path[PATH_MAX];
    bool changed = false;

    (void)state;
    /* What containerd makes of a hostPath that is not there. */
    assert_int_equal(fs_mkdir_p(file(), 0755), 0);
    assert_int_equal(device_plugin_set_list(root, devices, 1, &changed), -EISDIR);
    assert_int_equal(device_plugin_set_list(root, NULL, 0, &changed), 0);
    assert_int_equal(rmdir(file()), 0);

    /* A file in place of the directory; a read-only one would not stop root. */
    assert_int_equal(fs_path(path, "%s/etc/pcidp", root), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(fs_write_file(path, "", 0, 0644, FS_SYNC_NO), 0);
    assert_true(device_plugin_set_list(root, devices, 1, &changed) < 0);
    assert_int_equal(device_plugin_set_list(root, NULL, 0, &changed), 0);
    assert_false(changed);
}

static int make_root(void **state)
{
    (void)state;
    (void)strcpy(root, "/tmp/test-device-plugin-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[sizeof(root) + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

#define TEST(_f) cmocka_unit_test_setup_teardown(_f, make_root, remove_root)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_list), TEST(test_names_of_two), TEST(test_users_file), TEST(test_edited), TEST(test_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
