#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The resource list of the SR-IOV network device plugin: which devices its pods may have. */

#include "link/driver.h"
#include "util/macro.h"

#define DEVICE_PLUGIN_FILE "/etc/pcidp/config.json"

enum {
    DEVICE_PLUGIN_E_USERS = 1, /* the file is somebody's own */
    DEVICE_PLUGIN_E_NAMES,     /* two networks would be one resource */
};

/* A device that is with a driver for DPDK. Borrowed strings. */
typedef struct PluginDevice {
    const char *network; /* the resource is named after it */
    const char *driver;
    char address[PCI_ADDRESS_TEXT];
} PluginDevice;

/**
 * device_plugin_set_list() - have the plugin offer exactly these devices, one resource each
 * @root: prefix of DEVICE_PLUGIN_FILE; "" outside tests
 * @n_devices: 0 removes what an earlier run has written
 * @ret_changed: whether the file was written or removed
 *
 * A file that is as wanted is not written again. One that is not ours is never touched, and with no
 * devices of no interest.
 *
 * Return: 0; DEVICE_PLUGIN_E_USERS; DEVICE_PLUGIN_E_NAMES, and the file is as it was; else the errno of the
 * step that failed.
 */
int device_plugin_set_list(const char *root, const PluginDevice *devices, size_t n_devices,
                           bool *ret_changed);
