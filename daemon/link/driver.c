/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Drivers for DPDK: an interface's device is taken from the kernel's network driver and given to one that
 * hands it to a process.
 *
 *   MAC -> interface -> PCI address -> driver_override -> unbind -> drivers_probe -> look who has it
 *
 * driver_override makes the device take that driver and no other, without a new_id that would catch every
 * device of the kind, the primary interface among them (Linux, sysfs-bus-pci). The interface vanishes with
 * the unbinding, and its MAC address with it. So MAC and PCI address are written down before, in the
 * runtime directory: the binding lasts until the host restarts, and so does the note. A note is believed
 * only while one of the drivers for DPDK, or none, holds the device; an address belongs to the newest note.
 *
 * Each step leaves something that the next start can go on from: a note and nothing done, an override and
 * the kernel's driver still there, no driver at all. A step that fails is undone to the kernel's driver.
 *
 * Limits. Modules are not loaded here, which the unit could not do anyhow. The device going away while it
 * is bound is not noticed: there is no interface whose end netlink could tell. A bound device is never
 * taken from its driver again: with vfio the kernel waits until the process that uses it lets go.
 */

#include "link/driver.h"
#include "io/rtnl.h"
#include "util/fs.h"
#include "util/log.h"
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const dpdk_drivers[] = {"vfio-pci", "igb_uio", "uio_pci_generic"};

static void closedirp(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* ------------------------------------------------------------ looking */

static bool is_pci_address(const char *text)
{
    unsigned domain, bus, slot, function;
    int n = 0;

    return strlen(text) < PCI_ADDRESS_TEXT &&
           sscanf(text, "%8x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &n) == 4 && text[n] == '\0';
}

/* Contents without the newline. */
static int read_line(const char *path, char **ret)
{
    _cleanup_(freep) char *text = NULL;
    int r = fs_read_file(path, 4096, &text, NULL);

    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = '\0';
    *ret = TAKE_PTR(text);
    return 0;
}

/* sysfs may show another network namespace, or the name be another's by now. */
static bool has_mac(const DriverHost *host, const char *ifname, const MacAddr *mac)
{
    _cleanup_(freep) char *text = NULL;
    char path[PATH_MAX], wanted[MAC_ADDR_TEXT];

    return fs_path(path, "%s/class/net/%s/address", host->sysfs, ifname) == 0 &&
           read_line(path, &text) == 0 && streq(text, mac_addr_format(mac, wanted));
}

/*
 * By the parent that the kernel names: udev renames interfaces as they appear, and between the renaming and
 * its event nothing is found in sysfs under the name that is known.
 */
static int device_path(const DriverHost *host, const RtnlLink *link, const MacAddr *mac,
                       char path[static PATH_MAX])
{
    if (link->parent_device[0])
        return fs_path(path, "%s/bus/%s/devices/%s", host->sysfs, link->parent_bus, link->parent_device);
    if (!has_mac(host, link->name, mac))
        return -ENODEV;
    return fs_path(path, "%s/class/net/%s/device", host->sysfs, link->name);
}

int driver_pci_address(const DriverHost *host, const RtnlLink *link, const MacAddr *mac,
                       char ret[static PCI_ADDRESS_TEXT])
{
    char path[PATH_MAX], resolved[PATH_MAX], *name;

    if (device_path(host, link, mac, path) < 0)
        return -ENODEV;
    if (!realpath(path, resolved))
        return link->parent_device[0] && errno == ENOENT ? -ENXIO : -ENODEV;
    /* …/0000:00:06.0, and for virtio …/0000:00:06.0/virtio1: the nearest that is PCI. */
    while ((name = strrchr(resolved, '/'))) {
        if (is_pci_address(name + 1)) {
            (void)strcpy(ret, name + 1);
            return 0;
        }
        *name = '\0';
    }
    return -ENODEV;
}

int driver_current(const DriverHost *host, const char *address, char ret[static DRIVER_TEXT])
{
    char path[PATH_MAX], target[PATH_MAX];
    const char *name;
    ssize_t n;
    int r;

    r = fs_path(path, "%s/bus/pci/devices/%s", host->sysfs, address);
    if (r < 0)
        return r;
    if (access(path, F_OK) < 0)
        return errno == ENOENT ? -ENODEV : -errno;
    r = fs_path(path, "%s/bus/pci/devices/%s/driver", host->sysfs, address);
    if (r < 0)
        return r;
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0 && errno != ENOENT)
        return -errno;
    target[MAX(n, 0)] = '\0';

    name = strrchr(target, '/');
    name = name ? name + 1 : target;
    if (strlen(name) >= DRIVER_TEXT)
        return -ENAMETOOLONG;
    (void)strcpy(ret, name);
    return 0;
}

static bool has_driver(const DriverHost *host, const char *address, const char *driver)
{
    char current[DRIVER_TEXT];

    return driver_current(host, address, current) == 0 && streq(current, driver);
}

/* ------------------------------------------------------------ the note of what was bound */

static int note_path(const DriverHost *host, const MacAddr *mac, char path[static PATH_MAX])
{
    char text[MAC_ADDR_TEXT];

    return fs_path(path, "%s/%s", host->memory, mac_addr_format(mac, text));
}

static void forget(const DriverHost *host, const MacAddr *mac)
{
    char path[PATH_MAX];

    if (note_path(host, mac, path) == 0)
        (void)fs_unlink(path);
}

/* A slot may have had another interface before. */
static int forget_address(const DriverHost *host, const char *address)
{
    _cleanup_(closedirp) DIR *dir = opendir(host->memory);
    const struct dirent *entry;

    if (!dir)
        return -errno;
    while ((entry = readdir(dir))) {
        _cleanup_(freep) char *text = NULL;
        char path[PATH_MAX];
        int r;

        if (entry->d_name[0] == '.' || fs_path(path, "%s/%s", host->memory, entry->d_name) < 0 ||
            read_line(path, &text) < 0 || !streq(text, address))
            continue;
        r = fs_unlink(path);
        if (r < 0)
            return r;
    }
    return 0;
}

static int remember(const DriverHost *host, const MacAddr *mac, const char *address)
{
    char path[PATH_MAX];
    int r;

    r = note_path(host, mac, path);
    if (r == 0)
        r = fs_mkdir_p(host->memory, 0755);
    if (r == 0)
        r = forget_address(host, address);
    return r < 0 ? r : fs_write_file(path, address, strlen(address), 0644, FS_SYNC_NO);
}

static int recall(const DriverHost *host, const MacAddr *mac, char ret[static PCI_ADDRESS_TEXT])
{
    _cleanup_(freep) char *text = NULL;
    char path[PATH_MAX];
    int r = note_path(host, mac, path);

    if (r == 0)
        r = read_line(path, &text);
    if (r < 0)
        return r;
    if (!text || !is_pci_address(text))
        return -EBADMSG;
    (void)strcpy(ret, text);
    return 0;
}

/* ------------------------------------------------------------ the steps */

_printf_(3, 4) static int write_sysfs(const DriverHost *host, const char *value, const char *format, ...)
{
    char name[PATH_MAX / 2], path[PATH_MAX];
    va_list ap;
    int r;

    va_start(ap, format);
    r = vsnprintf(name, sizeof(name), format, ap) < (int)sizeof(name) ? 0 : -ENAMETOOLONG;
    va_end(ap);
    if (r == 0)
        r = fs_path(path, "%s/bus/pci/%s", host->sysfs, name);
    if (r == 0)
        r = host->write ? host->write(path, value, host->userdata) : fs_write_value(path, value);
    log_debug_errno(r, "driver: bus/pci/%s <- %.*s: %m", name, (int)strcspn(value, "\n"), value);
    return r;
}

/* An empty line empties it; a write of nothing at all does not reach the kernel. */
static int set_override(const DriverHost *host, const char *address, const char *driver)
{
    return write_sysfs(host, *driver ? driver : "\n", "devices/%s/driver_override", address);
}

static int unbind(const DriverHost *host, const char *address)
{
    if (has_driver(host, address, ""))
        return 0;
    return write_sysfs(host, address, "devices/%s/driver/unbind", address);
}

static int probe(const DriverHost *host, const char *address)
{
    return write_sysfs(host, address, "drivers_probe");
}

/* Back to the kernel's driver, from wherever it failed. */
static void undo(const DriverHost *host, const char *address, const char *driver, Buf *why)
{
    (void)set_override(host, address, "");
    if (has_driver(host, address, driver))
        (void)unbind(host, address);
    if (has_driver(host, address, ""))
        (void)probe(host, address);
    (void)buf_puts(why, has_driver(host, address, "")
                            ? ". No driver has taken the device back; restart the host"
                            : ". The kernel's driver has it again");
}

static int bind_address(const DriverHost *host, const char *address, const char *driver, Buf *why)
{
    char current[DRIVER_TEXT];
    int r;

    r = set_override(host, address, driver);
    if (r == 0)
        r = unbind(host, address);
    if (r == 0)
        r = probe(host, address);
    /* The kernel does not tell by drivers_probe that a driver refused the device. */
    if (r == 0 && !has_driver(host, address, driver))
        r = -EIO;
    if (r == 0)
        return 0;
    if (driver_current(host, address, current) == -ENODEV)
        return DRIVER_E_NONE;

    (void)buf_printf(why,
                     "%s does not take the PCI device %s: %s; see journalctl -k. On an instance without an "
                     "IOMMU vfio needs enable_unsafe_noiommu_mode=1",
                     driver, address, strerror(-r));
    undo(host, address, driver, why);
    return r;
}

static int check_driver(const DriverHost *host, const char *driver, Buf *why)
{
    char path[PATH_MAX];
    int r = fs_path(path, "%s/bus/pci/drivers/%s", host->sysfs, driver);

    if (r == 0 && access(path, F_OK) < 0)
        r = -errno;
    if (r < 0)
        (void)buf_printf(why,
                         "the kernel has no driver %s: have its module loaded at boot by a file in "
                         "/etc/modules-load.d, or say driver = kernel",
                         driver);
    return r;
}

int driver_bind(const DriverHost *host, const RtnlLink *link, const MacAddr *mac, const char *driver,
                char ret_address[static PCI_ADDRESS_TEXT], Buf *why)
{
    char address[PCI_ADDRESS_TEXT];
    int r;

    r = driver_pci_address(host, link, mac, address);
    if (r == -ENXIO)
        return DRIVER_E_NONE;
    if (r < 0) {
        (void)buf_printf(why, "%s is no PCI device, so %s cannot be bound to it: say driver = kernel",
                         link->name, driver);
        return r;
    }
    r = check_driver(host, driver, why);
    if (r < 0)
        return r;
    r = remember(host, mac, address);
    if (r < 0) {
        (void)buf_printf(why,
                         "cannot note its PCI address in %s, without which a restart would not find it: %s",
                         host->memory, strerror(-r));
        return r;
    }
    r = bind_address(host, address, driver, why);
    if (r != 0) {
        forget(host, mac);
        return r;
    }
    (void)strcpy(ret_address, address);
    return 0;
}

/* ------------------------------------------------------------ a later start */

static bool is_dpdk(const char *driver)
{
    for (size_t i = 0; i < ARRAY_SIZE(dpdk_drivers); i++)
        if (streq(driver, dpdk_drivers[i]))
            return true;
    return false;
}

/* An earlier run ended between two steps. */
static int finish(const DriverHost *host, const MacAddr *mac, const char *driver, const char *address,
                  Buf *why)
{
    int r;

    if (!*driver) {
        forget(host, mac);
        (void)set_override(host, address, "");
        (void)probe(host, address);
        return DRIVER_E_NONE;
    }
    r = check_driver(host, driver, why);
    return r < 0 ? r : bind_address(host, address, driver, why);
}

int driver_resume(const DriverHost *host, const MacAddr *mac, const char *driver,
                  char ret_address[static PCI_ADDRESS_TEXT], bool *ret_changed, Buf *why)
{
    char address[PCI_ADDRESS_TEXT], current[DRIVER_TEXT];
    bool changed = false;
    int r;

    if (recall(host, mac, address) < 0)
        return DRIVER_E_NONE;
    /* The device is gone, or is the kernel's again: somebody gave it back, or another is in its slot. */
    if (driver_current(host, address, current) < 0 || (*current && !is_dpdk(current))) {
        forget(host, mac);
        return DRIVER_E_NONE;
    }
    if (!*current) {
        r = finish(host, mac, driver, address, why);
        if (r != 0)
            return r;
        changed = true;
    } else if (!streq(current, driver)) {
        (void)buf_printf(
            why,
            "its device %s has been with %s since an earlier start, and now driver = %s: restart "
            "the host, since a process may be using the device",
            address, current, *driver ? driver : "kernel");
        return -EBUSY;
    }
    (void)strcpy(ret_address, address);
    *ret_changed = changed;
    return 0;
}
