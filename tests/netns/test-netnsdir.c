/* SPDX-License-Identifier: Apache-2.0 */

/* Namespaces that get their name in two steps, the second of which may come at any moment after the first. */

#include "io/netnsdir.h"
#include "lib/netns.h"
#include "lib/test.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char base[] = "/tmp/test-netnsdir-XXXXXX";
static char file[sizeof(base) + 8];
static bool mount_when_looked_at;
static unsigned n_told;

static void mount_namespace(void)
{
    assert_int_equal(mount("/proc/self/ns/net", file, "", MS_BIND, ""), 0);
}

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

/* The file is looked at, and is no namespace; the next moment it is. */
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    int r = __real_ioctl(fd, request, argument), error = errno;

    if (request == NS_GET_NSTYPE && r < 0 && mount_when_looked_at) {
        mount_when_looked_at = false;
        mount_namespace();
    }
    errno = error;
    return r;
}

static void on_name(const char *name, int fd, void *userdata _unused_)
{
    assert_string_equal(name, "pod");
    assert_true(fd >= 0);
    n_told++;
}

static void drain(sd_event *event)
{
    while (sd_event_run(event, 0) > 0) {
    }
}

static void check_told(mode_t mode, bool at_once)
{
    NetnsDir *dir;
    sd_event *event;
    int fd;

    n_told = 0;
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(netnsdir_new(&dir, event, base, on_name, NULL), 0);
    fd = open(file, O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    (void)close(fd);
    mount_when_looked_at = at_once;
    drain(event);
    assert_false(mount_when_looked_at);
    if (!at_once) {
        assert_int_equal(n_told, 0);
        mount_namespace();
        drain(event);
    }
    assert_int_equal(n_told, 1);

    assert_int_equal(umount2(file, MNT_DETACH), 0);
    assert_int_equal(unlink(file), 0);
    (void)netnsdir_free(dir);
    (void)sd_event_unref(event);
}

static void test_mounted_at_any_moment(void **unused _unused_)
{
    check_told(0444, false);
    check_told(0444, true);
}

/* As "ip netns add" makes it: nobody may read it until the namespace is there. */
static void test_mounted_upon_what_is_unreadable(void **unused _unused_)
{
    check_told(0, false);
}

/* The service reads no file that its mode forbids, and root in a namespace does. */
static int drop_override(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    data[0].effective &= ~(1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH);
    return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mounted_at_any_moment),
        cmocka_unit_test(test_mounted_upon_what_is_unreadable),
    };
    int r = netns_enter();

    if (r < 0) {
        printf("SKIPPED: test-netnsdir: no user and network namespace here: %s\n", strerror(-r));
        return 0;
    }
    /* Seen by this mount namespace alone, and gone with it. */
    if (!mkdtemp(base) || mount("none", base, "tmpfs", 0, NULL) < 0 || drop_override() < 0)
        return 1;
    (void)snprintf(file, sizeof(file), "%s/pod", base);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    (void)umount2(base, MNT_DETACH);
    (void)rmdir(base);
    return r;
}
