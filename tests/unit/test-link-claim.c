/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Claims and settings: the files that are written for udev and for the kernel.
 */

#include "lib/test.h"
#include "link/link-private.h"
#include "util/fs.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/test-link-claim-XXXXXX";

static void test_claim(void **state)
{
    const MacAddr mac = {{0x02, 0xAB, 0, 0, 0, 0x1f}};
    char directory[PATH_MAX], path[PATH_MAX + 32], *text = NULL;

    (void)state;
    (void)snprintf(directory, sizeof(directory), "%s/run/claims", root);
    (void)snprintf(path, sizeof(path), "%s/02:ab:00:00:00:1f", directory);
    assert_int_equal(links_unclaim(directory, &mac), 0);
    assert_int_equal(links_claim(directory, &mac, "multus1", false), 0);
    assert_int_equal(fs_read_file(path, 1024, &text, NULL), 0);
    assert_string_equal(text, "MULTUS_EKS=1\nMULTUS_EKS_NAME=multus1\n");
    free(text);
    assert_false(links_claimed_up(directory, &mac, "multus1"));
    assert_int_equal(links_claim(directory, &mac, "eth1", true), 0);
    assert_true(links_claimed_up(directory, &mac, "eth1"));
    assert_false(links_claimed_up(directory, &mac, "eth2"));
    /* The longest name there is. */
    assert_int_equal(links_claim(directory, &mac, "fifteen-letters", true), 0);
    assert_true(links_claimed_up(directory, &mac, "fifteen-letters"));
    assert_int_equal(links_claim(directory, &mac, "", false), -EINVAL);
    assert_int_equal(links_claim(directory, &mac, "a-name-too-long-", false), -EINVAL);
    assert_int_equal(links_unclaim(directory, &mac), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_false(links_claimed_up(directory, &mac, "eth1"));
}

static void put(const char *name, const char *value)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", root, name);
    *strrchr(path, '/') = 0;
    assert_int_equal(fs_mkdir_p(path, 0755), 0);
    path[strlen(path)] = '/';
    assert_int_equal(fs_write_file(path, value, strlen(value), 0644, FS_SYNC_NO), 0);
}

static void test_settings(void **state)
{
    char path[PATH_MAX], *text = NULL;
    bool changed = true;

    (void)state;
    /* Nothing of that name, at this moment; then IPv6 switched off; then IPv6's settings not there yet. */
    assert_int_equal(sysctl_configure(root, "eth1", false, &changed), -ENOENT);
    assert_false(changed);
    put("net/ipv4/conf/eth1/rp_filter", "1\n");
    assert_int_equal(sysctl_configure(root, "eth1", false, &changed), 0);
    assert_true(changed);
    assert_int_equal(sysctl_rp_filter_all(root), 0);

    put("net/ipv6/conf/all/accept_ra", "1\n");
    assert_int_equal(sysctl_configure(root, "eth1", false, &changed), -ENOENT);

    put("net/ipv4/conf/eth1.5/rp_filter", "1\n");
    put("net/ipv6/conf/eth1.5/accept_ra", "1\n");
    put("net/ipv6/conf/eth1.5/autoconf", "1\n");
    put("net/ipv6/conf/eth1.5/addr_gen_mode", "0\n");
    put("net/ipv4/conf/all/rp_filter", "2\n");
    assert_int_equal(sysctl_configure(root, "eth1.5", false, &changed), 0);
    assert_true(changed);
    assert_int_equal(sysctl_configure(root, "eth1.5", false, &changed), 0);
    assert_false(changed);
    (void)snprintf(path, sizeof(path), "%s/net/ipv6/conf/eth1.5/addr_gen_mode", root);
    assert_int_equal(fs_read_file(path, 64, &text, NULL), 0);
    assert_int_equal(text[0], '1');
    free(text);
    assert_int_equal(sysctl_configure(root, "eth1.5", true, &changed), 0);
    assert_true(changed);
    assert_int_equal(sysctl_rp_filter_all(root), 2);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[sizeof(root) + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", root);
    return system(command);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
