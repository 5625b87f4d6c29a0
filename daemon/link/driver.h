#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The PCI device under an interface, and the driver that holds it: files of sysfs. */

#include "util/buf.h"
#include "util/inaddr.h"

typedef struct RtnlLink RtnlLink;

#define PCI_ADDRESS_TEXT 24 /* "0000:00:06.0" and NUL; domains may have eight digits */
#define DRIVER_TEXT      32 /* "uio_pci_generic" and NUL, with room */

enum {
    DRIVER_E_NONE = 1, /* there is no such device: none of that MAC was bound before, or it has just gone */
};

/* Where the files are. Borrowed strings. */
typedef struct DriverHost {
    const char *sysfs;  /* "/sys" */
    const char *memory; /* directory of what was bound since the host started: "/run/multus-eks/drivers" */
    /* NULL: fs_write_value(). A test lets its tree react as the kernel does. */
    int (*write)(const char *path, const char *value, void *userdata);
    void *userdata;
} DriverHost;

/**
 * driver_pci_address() - of the PCI device under an interface
 * @link: as the kernel told it. Its name may be a former one, as somebody renames it at this moment
 * @mac: the interface's; where the kernel tells no parent, it proves that sysfs shows the namespace meant
 *
 * Return: 0; -ENODEV when there is none, as for a veth; -ENXIO when it has gone.
 */
int driver_pci_address(const DriverHost *host, const RtnlLink *link, const MacAddr *mac,
                       char ret[static PCI_ADDRESS_TEXT]);

/**
 * driver_current() - which driver holds a PCI device
 * @ret: its name, "" when none does
 *
 * Return: 0; -ENODEV when there is no such device; else an errno.
 */
int driver_current(const DriverHost *host, const char *address, char ret[static DRIVER_TEXT]);

/**
 * driver_bind() - take an interface's device from the kernel's driver and give it to another
 * @link: as of driver_pci_address()
 * @driver: "vfio-pci" …
 * @ret_address: of the device, for good, as the interface vanishes
 * @why: one sentence when it fails: what, and what to do
 *
 * Blocks while the kernel takes the interface down, as a write to sysfs does. When it fails half-way
 * the kernel's driver is given the device back, and the interface comes anew with another ifindex.
 *
 * Return: 0; DRIVER_E_NONE the device has gone, and the interface with it; -ENODEV no PCI device; -ENOENT the
 * kernel has no such driver; else the errno of the step.
 */
int driver_bind(const DriverHost *host, const RtnlLink *link, const MacAddr *mac, const char *driver,
                char ret_address[static PCI_ADDRESS_TEXT], Buf *why);

/**
 * driver_resume() - find the device that an earlier run has bound, and finish what it began
 * @driver: what is wanted now; "" for the kernel's own
 * @ret_address: of the bound device
 * @ret_changed: whether it had to be bound, since the earlier run ended half-way
 * @why: as of driver_bind()
 *
 * Return: 0 the device is with its driver; DRIVER_E_NONE it is the kernel's, or unknown; -EBUSY another
 * driver for DPDK holds it; else as driver_bind().
 */
int driver_resume(const DriverHost *host, const MacAddr *mac, const char *driver,
                  char ret_address[static PCI_ADDRESS_TEXT], bool *ret_changed, Buf *why);
