/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Drivers for DPDK: the kernel must have them before the daemon binds a device, and vfio must be allowed to
 * do without an IOMMU where there is none, as on most instances.
 *
 * What a tag says of a network's driver is not known here.
 */

#include "doctor.h"
#include "util/strlist.h"
#include <stdio.h>

#define VFIO         "vfio-pci"
#define GROUPS_DIR   "/sys/kernel/iommu_groups"
#define NOIOMMU_FILE "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"

static int add_driver(const NetworkConfig *network, StrList *drivers)
{
    if (streq(network->driver, "kernel") || strlist_contains(drivers, network->driver))
        return 0;
    return strlist_append(drivers, network->driver);
}

/* [network] is a network's only when there are none with a name. */
static int configured_drivers(const Config *config, StrList *drivers)
{
    int r = 0;

    if (config->n_networks == 0)
        return add_driver(&config->defaults, drivers);
    for (size_t i = 0; i < config->n_networks && r == 0; i++)
        r = add_driver(&config->networks[i], drivers);
    return r;
}

static bool has_iommu(const Root *root)
{
    _cleanup_strlist_ StrList groups = STRLIST_NULL;

    return root_list(root, GROUPS_DIR, &groups) == 0 && groups.n > 0;
}

static void check_driver(const Doctor *doctor, const char *driver)
{
    const Root *root = &doctor->root;
    char name[128], path[256], hint[512];

    (void)snprintf(name, sizeof(name), "driver.%s", driver);
    (void)snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", driver);
    if (!root_exists(root, path)) {
        (void)snprintf(hint, sizeof(hint),
                       "Have its module loaded at each boot, before multus-eksd:\n  modprobe %s\n  echo %s "
                       ">/etc/modules-load.d/multus-eks.conf",
                       driver, driver);
        doctor_add(doctor->report, DOCTOR_FAIL, name, hint, "the kernel has no such driver");
    } else if (streq(driver, VFIO) && !has_iommu(root) && !root_file_contains(root, NOIOMMU_FILE, "Y")) {
        doctor_add(doctor->report, DOCTOR_FAIL, name,
                   "Have it take devices without one, and restart the host:\n  echo options vfio "
                   "enable_unsafe_noiommu_mode=1 >/etc/modprobe.d/multus-eks.conf",
                   "this host has no IOMMU, and vfio does not take a device without one");
    } else {
        doctor_ok(doctor->report, name, "the kernel has it");
    }
}

void doctor_check_drivers(Doctor *doctor)
{
    _cleanup_strlist_ StrList drivers = STRLIST_NULL;

    if (!doctor->config)
        return;
    if (configured_drivers(doctor->config, &drivers) < 0)
        doctor_skip(doctor->report, "driver", "out of memory");
    for (size_t i = 0; i < drivers.n; i++)
        check_driver(doctor, drivers.items[i]);
}
