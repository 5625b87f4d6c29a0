/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What other programs of the node are told of its interfaces: nodeadm, how many of the instance's interfaces
 * the VPC CNI does not have, and the SR-IOV device plugin, which devices are bound for DPDK.
 *
 * Both are files that are read when their readers start: nodeadm-run after us, kubelet after it, and the
 * plugin's pod after kubelet. So they are written when everything is attached and bound, and before READY=1.
 * When one cannot be written, the boot goes on: the interfaces are there, and what the reader does without
 * its file is visible, while a node kept out of the cluster for it would serve nobody.
 *
 * While nothing is known of what is attached (no plan was made), what an earlier boot has written stays.
 */

#include "handover.h"
#include "device-plugin.h"
#include "manager-private.h"
#include "nodeadm.h"
#include "util/message-ids.h"

static bool user_data_sets_max_pods(const Manager *manager)
{
    return manager->metadata->user_data && nodeadm_sets_max_pods(manager->metadata->user_data);
}

static void handover_pods(const Manager *manager)
{
    _cleanup_(freep) char *users = NULL;
    const char *root = manager->options.root;
    bool changed = false, by_user_data = false;
    unsigned n = 0;
    int r;

    if (manager->config->max_pods)
        n = interfaces_attached(manager, 0);
    if (n > 0)
        by_user_data = user_data_sets_max_pods(manager);
    r = nodeadm_set_max_pods(root, by_user_data ? 0 : n, &changed, &users);
    if (r < 0)
        log_at(
            LOG_WARNING, r, MESSAGE_MAX_PODS_FAILED,
            "Cannot write %s/etc/eks/nodeadm.d/" NODEADM_DROP_IN
            ": %m. kubelet starts all the same and promises pods for which the VPC CNI has no address: set "
            "kubelet's maxPods without these %u interfaces yourself, or mend it and restart multus-eksd, "
            "nodeadm-run and kubelet",
            root, n);
    else if (r == NODEADM_E_USERS || (r == 0 && by_user_data))
        log_at(LOG_NOTICE, 0, MESSAGE_MAX_PODS_LEFT,
               "%s sets the number of pods, and is left alone; see that it leaves out the %u interfaces of "
               "network card 0 that are not the VPC CNI's",
               users ?: "The user data", n);
    else if (r == 0 && changed && n > 0)
        log_at(LOG_INFO, 0, MESSAGE_MAX_PODS_SET,
               "nodeadm is told to reckon the number of pods without %u interfaces", n);
    else if (r == 0 && changed)
        log_at(LOG_INFO, 0, MESSAGE_MAX_PODS_SET, "nodeadm reckons the number of pods by itself again");
}

/* Those that are with their driver at this moment. */
static size_t find_devices(const Manager *manager, PluginDevice devices[static CONFIG_NETWORK_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < manager->n_interfaces && n < CONFIG_NETWORK_MAX; i++) {
        const Interface *interface = &manager->interfaces[i];

        if (!interface->link || link_state(interface->link) != LINK_STATE_BOUND ||
            link_pci_address(interface->link, devices[n].address) < 0)
            continue;
        devices[n].network = interface->desired->network;
        devices[n].driver = interface->desired->driver;
        n++;
    }
    return n;
}

void handover_devices(const Manager *manager)
{
    PluginDevice devices[CONFIG_NETWORK_MAX];
    const char *root = manager->options.root;
    size_t n = 0;
    bool changed = false;
    int r;

    if (!manager->plan)
        return;
    if (manager->config->device_plugin)
        n = find_devices(manager, devices);
    r = device_plugin_set_list(root, devices, n, &changed);
    if (r < 0)
        log_at(LOG_WARNING, r, MESSAGE_DEVICES_FAILED,
               "Cannot write %s" DEVICE_PLUGIN_FILE
               ": %m. The %zu devices that are bound are not offered to pods: mend it, then restart "
               "multus-eksd and the device plugin's pod",
               root, n);
    else if (r == DEVICE_PLUGIN_E_NAMES)
        log_at(LOG_WARNING, 0, MESSAGE_DEVICES_FAILED,
               "%s" DEVICE_PLUGIN_FILE
               " is not written: the names of two networks differ in nothing but '-', "
               "'.' and '_', which the device plugin's resources do not tell apart. Rename one of them",
               root);
    else if (r == DEVICE_PLUGIN_E_USERS)
        log_at(LOG_NOTICE, 0, MESSAGE_DEVICES_LEFT,
               "%s" DEVICE_PLUGIN_FILE
               " was not written by multus-eksd, and is left alone; see that it has the "
               "%zu devices that are bound (pci_address in multus-eksctl status --json)",
               root, n);
    else if (changed && n > 0)
        log_at(LOG_INFO, 0, MESSAGE_DEVICES_SET, "The device plugin is told of %zu devices", n);
    else if (changed)
        log_at(LOG_INFO, 0, MESSAGE_DEVICES_SET, "The device plugin is told of no devices any more");
}

void handover_all(const Manager *manager)
{
    if (!manager->plan)
        return;
    handover_pods(manager);
    handover_devices(manager);
}
