/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The per-interface kernel settings of a Multus link.
 *
 * They are written before the link goes up, because what they forbid (router solicitations, a
 * link-local address) would start with it. Each is read first: a second run writes nothing. The paths
 * hold the interface's name as it is; the '.' of a VLAN's name needs no care, since only the dotted
 * notation of sysctl(8) would turn it into a '/'.
 */

#include "link/link-private.h"
#include "util/fs.h"
#include "util/log.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

typedef struct Setting {
    const char *family;
    const char *key;
    const char *value;
    const char *value_host_ipv6; /* where the host speaks IPv6 on the link; NULL: the same */
} Setting;

static const Setting settings[] = {
    /*
     * Pods behind ipvlan answer from addresses the host has no route to: a reverse path filter on the
     * parent drops their packets.
     */
    {"ipv4", "rp_filter", "0", NULL},
    /* The VPC's router advertises a default route: it must never come into the main table. */
    {"ipv6", "accept_ra", "0", NULL},
    {"ipv6", "autoconf", "0", NULL},
    /*
     * A parent without addresses needs no link-local one: none (1) keeps the host silent on the
     * network of the pods, which form their own. With an IPv6 address of its own the host needs it:
     * neighbour discovery probes the router from it (RFC 4861, 7.2.2), and the VPC lets pass the one
     * that is formed from the MAC (eui64, 0).
     */
    {"ipv6", "addr_gen_mode", "1", "0"},
};

static bool ipv6_is_off(const char *root)
{
    char path[PATH_MAX];

    return fs_path(path, "%s/net/ipv6/conf", root) == 0 && access(path, F_OK) < 0;
}

/*
 * Return: 1 when written, 0 when it was so already or IPv6 is switched off altogether, -ENOENT when there is
 * nothing of that name, negative errno.
 */
static int setting_apply(const char *root, const char *ifname, const Setting *setting, bool host_ipv6)
{
    const char *value = host_ipv6 && setting->value_host_ipv6 ? setting->value_host_ipv6 : setting->value;
    _cleanup_(freep) char *present = NULL;
    char path[PATH_MAX];
    int r;

    r = snprintf(path, sizeof(path), "%s/net/%s/conf/%s/%s", root, setting->family, ifname, setting->key);
    if (r < 0 || (size_t)r >= sizeof(path))
        return -ENAMETOOLONG;

    r = fs_read_file(path, 64, &present, NULL);
    if (r == -ENOENT && streq(setting->family, "ipv6") && ipv6_is_off(root))
        return 0;
    if (r < 0)
        return r;
    if (strtol(present, NULL, 10) == strtol(value, NULL, 10))
        return 0;
    r = fs_write_value(path, value);
    log_debug_errno(r, "link: %s set to %s: %s", path, value, r < 0 ? strerror(-r) : "done");
    return r < 0 ? r : 1;
}

int sysctl_configure(const char *root, const char *ifname, bool host_ipv6, bool *ret_changed)
{
    bool missing = false;

    *ret_changed = false;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        int r = setting_apply(root, ifname, &settings[i], host_ipv6);

        if (r < 0 && r != -ENOENT)
            return r;
        missing = missing || r == -ENOENT;
        *ret_changed = *ret_changed || r > 0;
    }
    return missing ? -ENOENT : 0;
}

int sysctl_rp_filter_all(const char *root)
{
    _cleanup_(freep) char *value = NULL;
    char path[PATH_MAX];
    int r = snprintf(path, sizeof(path), "%s/net/ipv4/conf/all/rp_filter", root);

    if (r < 0 || (size_t)r >= sizeof(path) || fs_read_file(path, 64, &value, NULL) < 0)
        return 0;
    return (int)strtol(value, NULL, 10);
}
