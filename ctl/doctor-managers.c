/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Others that configure network interfaces. Each of these has taken interfaces away from under a CNI
 * before; our udev rules and the networkd file keep them off the interfaces that the daemon claimed, so
 * what is checked is that these work against what is here:
 *
 *   systemd-networkd      05-multus-eks.network is the first that matches, because of its name
 *   NetworkManager        NM_UNMANAGED of the claim rules
 *   nm-cloud-setup        nothing keeps it off: it adds routes and rules for every address of IMDS
 *   90-eks.rules          the EKS AMI starts udev-net-manager@ for each new interface; our quiet rules,
 *                         with a higher number, empty the list of programs that udev would run
 *   99-vpc-policy-routes.rules
 *                         of amazon-ec2-net-utils does the same with a number above ours; the EKS AMI
 *                         turns the file off
 *   cloud-init            as the EKS AMI's rule, where hotplug is enabled
 *   OSManagedNoManageENIs a feature gate of nodeadm that gives interfaces with the tag no_manage, such
 *                         as ours, to networkd
 */

#include "doctor.h"
#include "util/buf.h"
#include <errno.h>
#include <stdio.h>

#define NO_MANAGE_MARKER  "/run/nodeadm/os-managed-no-manage-enis"
#define NO_MANAGE_FEATURE "OSManagedNoManageENIs"
#define NODEADM_DIR       "/etc/eks/nodeadm.d"

static bool unit_exists(const Doctor *doctor, const char *unit)
{
    _cleanup_(freep) char *path = NULL;

    return root_find(&doctor->root, root_unit_dirs, "", unit, &path) == 0;
}

/* ------------------------------------------------------------ systemd-networkd */

/* Names of .network files that networkd reads before ours, or an empty buffer. */
static void networks_before(const Doctor *doctor, Buf *names)
{
    _cleanup_strlist_ StrList paths = STRLIST_NULL;

    (void)root_find_all(&doctor->root, root_network_dirs, "", ".network", &paths);
    for (size_t i = 0; i < paths.n; i++)
        if (strcmp(root_basename(paths.items[i]), DOCTOR_NETWORK) < 0)
            (void)buf_printf(names, "%s%s", names->n > 0 ? ", " : "", paths.items[i]);
}

/* The last value of a key in some files, which is the one that counts; freed by the caller, or NULL. */
static char *last_value(const Doctor *doctor, const StrList *paths, const char *key)
{
    char *value = NULL;
    size_t n = strlen(key);

    for (size_t i = 0; i < paths->n; i++) {
        _cleanup_(freep) char *text = NULL;

        if (root_read(&doctor->root, paths->items[i], ROOT_FILE_MAX, &text, NULL) < 0)
            continue;
        for (const char *line = text; line; line = strchr(line, '\n')) {
            line += *line == '\n';
            if (strncmp(line, key, n) != 0 || line[n] != '=')
                continue;
            free(value);
            value = strndup(line + n + 1, strcspn(line + n + 1, " \n"));
        }
    }
    return value;
}

static bool is_no(const char *value)
{
    static const char *const words[] = {"no", "false", "off", "0", "n", "f"};

    for (size_t i = 0; value && i < ARRAY_SIZE(words); i++)
        if (streq(value, words[i]))
            return true;
    return false;
}

static void check_foreign_routes(const Doctor *doctor)
{
    _cleanup_strlist_ StrList paths = STRLIST_NULL;
    _cleanup_(freep) char *routes = NULL;
    _cleanup_(freep) char *rules = NULL;

    (void)root_find_all(&doctor->root, root_networkd_conf_dirs, "", "networkd.conf", &paths);
    (void)root_find_all(&doctor->root, root_networkd_conf_dirs, "networkd.conf.d", ".conf", &paths);
    routes = last_value(doctor, &paths, "ManageForeignRoutes");
    rules = last_value(doctor, &paths, "ManageForeignRoutingPolicyRules");
    if (is_no(routes) && is_no(rules))
        doctor_ok(doctor->report, "manager.foreign-routes",
                  "networkd leaves routes and rules of others alone");
    else
        doctor_add(doctor->report, DOCTOR_WARNING, "manager.foreign-routes",
                   "When it is restarted it removes those of the VPC CNI and of host_address = yes. Put into "
                   "/etc/systemd/networkd.conf.d/50-foreign.conf:\n  [Network]\n  ManageForeignRoutes=no\n"
                   "  ManageForeignRoutingPolicyRules=no",
                   "networkd removes routes and rules that are not its own");
}

/* udev gives virtual devices an address of its own after a CNI plugin has read the kernel's. */
static void check_mac_policy(const Doctor *doctor)
{
    _cleanup_strlist_ StrList paths = STRLIST_NULL;
    _cleanup_(freep) char *policy = NULL;

    (void)root_find_all(&doctor->root, root_network_dirs, "", "99-default.link", &paths);
    (void)root_find_all(&doctor->root, root_network_dirs, "99-default.link.d", ".conf", &paths);
    policy = last_value(doctor, &paths, "MACAddressPolicy");
    if (!policy || streq(policy, "none"))
        doctor_ok(doctor->report, "manager.mac-policy", "udev leaves MAC addresses alone");
    else
        doctor_add(
            doctor->report, DOCTOR_WARNING, "manager.mac-policy",
            "The MAC address of a pod's interface changes while its CNI plugin is at work. Put into "
            "/etc/systemd/network/99-default.link.d/50-no-policy.conf:\n  [Link]\n  MACAddressPolicy=none",
            "udev changes the MAC addresses of virtual interfaces (%s)", policy);
}

static void check_networkd(const Doctor *doctor)
{
    _cleanup_(freep) char *ours = NULL;
    _cleanup_buf_ Buf before = BUF_NULL;

    if (!doctor_unit_is_enabled(doctor, "systemd-networkd.service") &&
        !root_exists(&doctor->root, "/run/systemd/netif")) {
        doctor_ok(doctor->report, "manager.networkd", "systemd-networkd is not used here");
        return;
    }

    networks_before(doctor, &before);
    if (root_find(&doctor->root, root_network_dirs, "", DOCTOR_NETWORK, &ours) != 0)
        doctor_add(doctor->report, DOCTOR_FAIL, "manager.networkd",
                   "systemd-networkd will configure the Multus interfaces. Install multus-eks again, then\n"
                   "  networkctl reload",
                   DOCTOR_NETWORK " is not there or turned off");
    else if (before.n > 0)
        doctor_add(
            doctor->report, DOCTOR_WARNING, "manager.networkd",
            "The first file that matches an interface is the one that systemd-networkd obeys. See that "
            "none of these matches the Multus interfaces, or give them names that sort "
            "behind " DOCTOR_NETWORK ".",
            "read before " DOCTOR_NETWORK ": %s", before.data);
    else
        doctor_ok(doctor->report, "manager.networkd", "leaves our interfaces alone (%s)", ours);
    check_foreign_routes(doctor);
}

/* ------------------------------------------------------------ NetworkManager */

static void check_network_manager(const Doctor *doctor)
{
    bool used = doctor_unit_is_enabled(doctor, "NetworkManager.service") ||
                root_exists(&doctor->root, "/run/NetworkManager");
    bool cloud = doctor_unit_is_enabled(doctor, "nm-cloud-setup.service") ||
                 doctor_unit_is_enabled(doctor, "nm-cloud-setup.timer");

    if (!used)
        doctor_ok(doctor->report, "manager.network-manager", "NetworkManager is not used here");
    else if (doctor_rule_is_effective(doctor, DOCTOR_CLAIM_RULES))
        doctor_ok(doctor->report, "manager.network-manager",
                  "NetworkManager leaves our interfaces alone (" DOCTOR_CLAIM_RULES ")");
    else
        doctor_add(doctor->report, DOCTOR_FAIL, "manager.network-manager",
                   "NetworkManager will configure the Multus interfaces. Install multus-eks again, then\n"
                   "  udevadm control --reload",
                   DOCTOR_CLAIM_RULES " is not there or turned off");

    if (cloud)
        doctor_add(
            doctor->report, DOCTOR_FAIL, "manager.nm-cloud-setup",
            "It gives the host every address of every interface, those of pods among them, with routes "
            "and rules in tables 30200 and 30400, and pods are not reached any more.\n"
            "  systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer",
            "nm-cloud-setup is enabled");
    else
        doctor_ok(doctor->report, "manager.nm-cloud-setup", "nm-cloud-setup is not used here");
}

/* ------------------------------------------------------------ programs that udev starts */

/* Whether a line would start a program for a network interface; systemd-sysctl's is systemd's own. */
static bool line_runs_for_net(const char *line, size_t n)
{
    return memmem(line, n, "SUBSYSTEM==\"net\"", strlen("SUBSYSTEM==\"net\"")) && memmem(line, n, "RUN", 3) &&
           line[0] != '#' && !memmem(line, n, "systemd-sysctl", strlen("systemd-sysctl"));
}

static bool rules_run_for_net(const char *text)
{
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");

        if (line_runs_for_net(line, n))
            return true;
        line += n + (line[n] == '\n');
    }
    return false;
}

static void check_udev(const Doctor *doctor)
{
    bool quiet = doctor_rule_is_effective(doctor, DOCTOR_QUIET_RULES);
    _cleanup_strlist_ StrList paths = STRLIST_NULL;
    _cleanup_buf_ Buf kept_off = BUF_NULL;
    _cleanup_buf_ Buf running = BUF_NULL;
    _cleanup_buf_ Buf advice = BUF_NULL;

    (void)buf_printf(
        &advice,
        "It starts a program for every new interface, ours included, because %s. If nothing else "
        "needs it, turn it off:\n",
        quiet ? "its number is above that of " DOCTOR_QUIET_RULES
              : DOCTOR_QUIET_RULES " is not there or turned off");
    (void)root_find_all(&doctor->root, root_udev_dirs, "", ".rules", &paths);
    for (size_t i = 0; i < paths.n; i++) {
        const char *name = root_basename(paths.items[i]);
        int order = strcmp(name, DOCTOR_QUIET_RULES);
        _cleanup_(freep) char *text = NULL;

        if (order == 0 || root_read(&doctor->root, paths.items[i], ROOT_FILE_MAX, &text, NULL) < 0 ||
            !rules_run_for_net(text))
            continue;
        if (quiet && order < 0) {
            (void)buf_printf(&kept_off, "%s%s", kept_off.n > 0 ? ", " : "", name);
            continue;
        }
        (void)buf_printf(&running, "%s%s", running.n > 0 ? ", " : "", paths.items[i]);
        (void)buf_printf(&advice, "  ln -s /dev/null /etc/udev/rules.d/%s\n", name);
    }

    if (running.n > 0 && buf_puts(&advice, "  udevadm control --reload") == 0)
        doctor_add(doctor->report, DOCTOR_FAIL, "manager.udev", advice.data, "%s", running.data);
    else if (kept_off.n > 0)
        doctor_ok(doctor->report, "manager.udev", "kept off our interfaces: %s", kept_off.data);
    else
        doctor_ok(doctor->report, "manager.udev", "no rules of others start programs for interfaces");
}

/* ------------------------------------------------------------ nodeadm */

/* The file of nodeadm that turns the feature on, freed by the caller; or NULL. */
static char *find_no_manage(const Doctor *doctor)
{
    _cleanup_strlist_ StrList names = STRLIST_NULL;

    if (root_exists(&doctor->root, NO_MANAGE_MARKER))
        return strdup(NO_MANAGE_MARKER);
    (void)root_list(&doctor->root, NODEADM_DIR, &names);
    for (size_t i = 0; i < names.n; i++) {
        char path[512];

        (void)snprintf(path, sizeof(path), NODEADM_DIR "/%s", names.items[i]);
        if (root_file_contains(&doctor->root, path, NO_MANAGE_FEATURE ": true") ||
            root_file_contains(&doctor->root, path, "\"" NO_MANAGE_FEATURE "\": true"))
            return strdup(path);
    }
    return NULL;
}

static void check_nodeadm(const Doctor *doctor)
{
    _cleanup_(freep) char *found = find_no_manage(doctor);

    if (found)
        doctor_add(
            doctor->report, DOCTOR_FAIL, "manager.no-manage-enis",
            "It has systemd-networkd configure interfaces with the tag node.k8s.amazonaws.com/no_manage, "
            "which ours bear: they would get DHCP, routes and rules. Set in the NodeConfig:\n"
            "  featureGates: {" NO_MANAGE_FEATURE ": false}",
            "nodeadm's feature " NO_MANAGE_FEATURE " is on (%s)", found);
    else if (unit_exists(doctor, "nodeadm-run.service"))
        doctor_ok(doctor->report, "manager.no-manage-enis", "nodeadm's feature " NO_MANAGE_FEATURE " is off");
    else
        doctor_ok(doctor->report, "manager.no-manage-enis", "nodeadm is not used here");
}

void doctor_check_managers(Doctor *doctor)
{
    check_networkd(doctor);
    check_network_manager(doctor);
    check_udev(doctor);
    check_mac_policy(doctor);
    check_nodeadm(doctor);
}
