/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Whether udev has finished with a network device.
 *
 * udev renames network devices while it works on their "add" event, and leaves a device unprocessed when
 * that rename fails. Who renames a device himself has to do it before udev looks or after it is done;
 * after is the one moment that can be told, by udev's own message and by the device's entry in its
 * database.
 *
 * udevd serves the network namespace it runs in. In any other one (a container that shares /run with the
 * host, a test) its database is present and stays silent about our devices, so it must not be waited for.
 */

#include "io/udev.h"
#include "util/fs.h"
#include "util/log.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <systemd/sd-device.h>
#include <unistd.h>

struct Udev {
    sd_device_monitor *monitor;
    UdevHandler handler;
    void *userdata;
};

static int on_device(sd_device_monitor *monitor, sd_device *device, void *userdata)
{
    Udev *udev = userdata;
    sd_device_action_t action;
    int ifindex;

    (void)monitor;
    if (sd_device_get_action(device, &action) < 0 || action == SD_DEVICE_REMOVE ||
        sd_device_get_ifindex(device, &ifindex) < 0)
        return 0;
    udev->handler(ifindex, udev->userdata);
    return 0;
}

/* The initial user namespace alone maps every uid to itself. */
static bool user_namespace_is_initial(void)
{
    _cleanup_(freep) char *map = NULL;
    unsigned first, outside, n;

    if (fs_read_file("/proc/self/uid_map", 4096, &map, NULL) < 0)
        return true;
    return sscanf(map, "%u %u %u", &first, &outside, &n) == 3 && first == 0 && outside == 0 &&
           n == UINT32_MAX;
}

/* Whether pid 1, and with it udevd, lives in our network namespace. */
static bool namespace_is_initial(void)
{
    struct stat own, initial;

    if (stat("/proc/self/ns/net", &own) < 0)
        return false;
    /*
     * A service without CAP_SYS_PTRACE may not look at pid 1's namespace: without a user namespace of
     * its own it is the ordinary service on the host that asks.
     */
    if (stat("/proc/1/ns/net", &initial) < 0)
        return errno == EACCES && user_namespace_is_initial();
    return own.st_dev == initial.st_dev && own.st_ino == initial.st_ino;
}

int udev_new(Udev **ret, sd_event *event, UdevHandler handler, void *userdata)
{
    _cleanup_(udev_freep) Udev *udev = NULL;
    int r;

    if (access("/run/udev/control", F_OK) < 0)
        return -ENOENT;
    if (!namespace_is_initial())
        return -ENOENT;

    udev = calloc(1, sizeof(*udev));
    if (!udev)
        return -ENOMEM;
    udev->handler = handler;
    udev->userdata = userdata;
    r = sd_device_monitor_new(&udev->monitor);
    if (r >= 0)
        r = sd_device_monitor_filter_add_match_subsystem_devtype(udev->monitor, "net", NULL);
    if (r >= 0)
        r = sd_device_monitor_attach_event(udev->monitor, event);
    if (r >= 0)
        r = sd_device_monitor_start(udev->monitor, on_device, udev);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(sd_device_monitor_get_event_source(udev->monitor), "udev");

    *ret = TAKE_PTR(udev);
    return 0;
}

Udev *udev_free(Udev *udev)
{
    if (!udev)
        return NULL;
    (void)sd_device_monitor_unref(udev->monitor);
    free(udev);
    return NULL;
}

int udev_is_initialized(Udev *udev, int ifindex)
{
    sd_device *device = NULL;
    int r;

    (void)udev;
    r = sd_device_new_from_ifindex(&device, ifindex);
    if (r >= 0)
        r = sd_device_get_is_initialized(device);
    (void)sd_device_unref(device);
    if (r < 0) {
        log_debug_errno(r, "udev: cannot look up the device %i: %m", ifindex);
        return -ENODEV;
    }
    return r > 0;
}
