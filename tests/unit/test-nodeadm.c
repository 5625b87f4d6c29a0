/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is written for the EKS AMI's nodeadm, and above all what is not.
 */

#include "lib/test.h"
#include "nodeadm.h"
#include "util/fs.h"
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define OURS "/etc/eks/nodeadm.d/" NODEADM_DROP_IN

static char root[64];

static const char *under_root(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(fs_write_file(under_root(name), text, strlen(text), 0644, FS_SYNC_NO), 0);
}

static bool is_there(const char *name)
{
    return access(under_root(name), F_OK) == 0;
}

static void assert_text(const char *name, const char *wanted)
{
    _cleanup_(freep) char *text = NULL;

    assert_int_equal(fs_read_file(under_root(name), 4096, &text, NULL), 0);
    assert_non_null(strstr(text, wanted));
}

static int set(unsigned n, bool *ret_changed)
{
    _cleanup_(freep) char *users = NULL;
    int r = nodeadm_set_max_pods(root, n, ret_changed, &users);

    assert_true((r == NODEADM_E_USERS) == (users != NULL));
    return r;
}

static void test_no_eks_ami(void **state)
{
    bool changed = false;

    (void)state;
    assert_int_equal(set(3, &changed), NODEADM_E_ABSENT);
    assert_int_equal(nodeadm_disown(root, "i-1", "eth1"), 0);
    assert_false(is_there("/etc"));
}

static void test_drop_in(void **state)
{
    struct stat before, after;
    bool changed = false;

    (void)state;
    assert_int_equal(fs_mkdir_p(under_root("/etc/eks"), 0755), 0);
    assert_int_equal(set(3, &changed), 0);
    assert_true(changed);
    assert_text(OURS,
                "apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  kubelet:\n"
                "    maxPodsExpression: \"((default_enis - 3) * (ips_per_eni - 1)) + 2\"\n");

    /* Again: the very same file, which a replacement would not be. */
    assert_int_equal(stat(under_root(OURS), &before), 0);
    assert_int_equal(before.st_mode & 0777, 0644);
    assert_int_equal(set(3, &changed), 0);
    assert_false(changed);
    assert_int_equal(stat(under_root(OURS), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);

    assert_int_equal(set(2, &changed), 0);
    assert_true(changed);
    assert_text(OURS, "(default_enis - 2)");

    assert_int_equal(set(0, &changed), 0);
    assert_true(changed);
    assert_false(is_there(OURS));
    assert_int_equal(set(0, &changed), 0);
    assert_false(changed);
}

static void test_users_file(void **state)
{
    _cleanup_(freep) char *users = NULL;
    bool changed = false;

    (void)state;
    assert_int_equal(fs_mkdir_p(under_root("/etc/eks"), 0755), 0);
    assert_int_equal(set(3, &changed), 0);
    put("/etc/eks/nodeadm.d/10-other.yaml", "spec:\n  kubelet:\n    config:\n      registryPullQPS: 20\n");
    put("/etc/eks/nodeadm.d/20-old.yaml.bak", "maxPods: 1\n");
    assert_int_equal(set(3, &changed), 0);
    assert_false(changed);

    /* Ours would win over an expression in a file that sorts before it: it has to go. */
    put("/etc/eks/nodeadm.d/10-mine.yaml", "spec:\n  kubelet:\n    maxPodsExpression: \"40\"\n");
    put("/etc/eks/nodeadm.d/05-early.JSON", "{\"spec\": {\"kubelet\": {\"config\": {\"maxPods\": 30}}}}\n");
    assert_int_equal(nodeadm_set_max_pods(root, 3, &changed, &users), NODEADM_E_USERS);
    assert_true(changed);
    assert_string_equal(users, under_root("/etc/eks/nodeadm.d/10-mine.yaml"));
    assert_false(is_there(OURS));
    assert_int_equal(set(3, &changed), NODEADM_E_USERS);
    assert_false(changed);
    /* Not asked for: the user's file is of no interest. */
    assert_int_equal(set(0, &changed), 0);
}

static void test_unwritable(void **state)
{
    bool changed = false;

    (void)state;
    /* A file in place of the directory; a read-only one would not stop root. */
    assert_int_equal(fs_mkdir_p(under_root("/etc/eks"), 0755), 0);
    put("/etc/eks/nodeadm.d", "");
    assert_true(set(3, &changed) < 0);
    assert_int_equal(set(0, &changed), 0);
    assert_false(changed);
}

static void test_disown(void **state)
{
    (void)state;
    assert_int_equal(fs_mkdir_p(under_root("/etc/eks"), 0755), 0);
    assert_int_equal(nodeadm_disown(root, "i-1", "eth1"), 0);
    assert_false(is_there("/etc/eks/nodeadm"));
    assert_int_equal(fs_mkdir_p(under_root("/etc/eks/nodeadm"), 0755), 0);
    assert_int_equal(nodeadm_disown(root, "i-1", "eth1"), 0);
    assert_text("/etc/eks/nodeadm/udev-net-manager/i-1/eth1", "cni");
    put("/etc/eks/nodeadm/udev-net-manager/i-1/eth1", "io.systemd.Network");
    assert_int_equal(nodeadm_disown(root, "i-1", "eth1"), 0);
    assert_text("/etc/eks/nodeadm/udev-net-manager/i-1/eth1", "cni");
}

static void test_settings(void **state)
{
    static const struct {
        const char *text;
        bool set;
    } cases[] = {
        {"", false},
        {"spec:\n  kubelet:\n    config:\n      maxPods: 17\n", true},
        {"spec:\r\n  kubelet:\r\n    config:\r\n      maxPods: 17\r\n", true},
        {"    maxPodsExpression: \"max_pods - 1\"\n", true},
        {"{\"maxPods\" : 17}", true},
        {"  kubelet: {config: {'maxPods': 17}}", true},
        {"      - --max-pods=110\n", true},
        {"      - \"--node-labels=a=b --max-pods 110\"\n", true},
        {"# maxPods: 17\n", false},
        {"  podsPerCore: 4 # not maxPods: 17\n", false},
        {"  clusterDNS: a#b\n  maxPods: 17", true},
        {"  x#y: 1, maxPods: 17", true},
        {"  notMaxPods: 17\n  my-maxPods: 3\n  maxPodsEver: 2\n", false},
        {"  flags:\n  - --max-pods-ever=1\n", false},
        {"  note: maxPods is unset\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (nodeadm_sets_max_pods(cases[i].text) != cases[i].set)
            fail_msg("case %zu: %s", i, cases[i].text);
}

static int make_root(void **state)
{
    (void)state;
    (void)strcpy(root, "/tmp/test-nodeadm-XXXXXX");
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
        TEST(test_no_eks_ami), TEST(test_drop_in), TEST(test_users_file),
        TEST(test_unwritable), TEST(test_disown),  TEST(test_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
