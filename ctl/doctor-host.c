/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The running host: what the daemon says of itself, whether udev and systemd-networkd have understood
 * whose its interfaces are, and two settings of the kernel that decide whether packets and signatures
 * are good.
 *
 * The interfaces are known by the daemon's claims: files by MAC address that it writes before it attaches
 * them. An ipvlan or macvlan on top may bear the same address and is not meant.
 */

#include "client/client.h"
#include "doctor.h"
#include "io/rtnl.h"
#include "service.h"
#include "util/fs.h"
#include "util/inaddr.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/timex.h>

#define CLAIMS_DIR  "/run/multus-eks/claims"
#define READY_FILE  "/run/multus-eks/ready"
#define STATUS_TIME (5 * USEC_PER_SEC)

/* ------------------------------------------------------------ the daemon */

static void report_phase(const Doctor *doctor, const json_t *status)
{
    const char *phase = json_string_value(json_object_get(status, "phase"));
    const char *error = json_string_value(json_object_get(status, "error"));

    if (phase && streq(phase, "ready"))
        doctor_ok(doctor->report, "daemon", "ready");
    else if (phase && streq(phase, "degraded"))
        doctor_add(doctor->report, DOCTOR_FAIL, "daemon",
                   "  multus-eksctl status\n  journalctl -xu multus-eksd", "degraded: %s",
                   error ? error : "an interface is missing");
    else if (phase && streq(phase, "failed"))
        doctor_add(doctor->report, DOCTOR_FAIL, "daemon", "  journalctl -xu multus-eksd", "failed: %s",
                   error ? error : "the journal says why");
    else
        doctor_add(doctor->report, DOCTOR_WARNING, "daemon", "Wait, and look again:\n  multus-eksctl status",
                   "not ready yet: %s", phase ? phase : "no phase");
}

static void ask_daemon(const Doctor *doctor)
{
    _cleanup_client_reply_ ClientReply reply = CLIENT_REPLY_NULL;
    _cleanup_(client_freep) Client *client = NULL;
    const char *state;
    char path[PATH_MAX];
    ClientError error;
    int r;

    if (!doctor->socket_path && service_is_down(&doctor->root, &state)) {
        doctor_add(doctor->report, DOCTOR_FAIL, "daemon",
                   "  journalctl -xu multus-eksd\nWhen the cause is mended:\n  systemctl restart multus-eksd",
                   "multus-eksd.service is %s", state);
        return;
    }
    (void)snprintf(path, sizeof(path), "%s%s",
                   streq(doctor->root.path, "/") || doctor->socket_path ? "" : doctor->root.path,
                   doctor->socket_path ? doctor->socket_path : CLIENT_SOCKET);
    r = client_new(&client, path, "multus-eksctl/" VERSION);
    if (r == 0)
        r = client_call(client, "GET", "/v1/status", NULL, STATUS_TIME, &reply, &error);
    if (r < 0)
        doctor_add(doctor->report, DOCTOR_FAIL, "daemon",
                   "  systemctl status multus-eksd\n  journalctl -xu multus-eksd", "%s",
                   r == -ENOMEM ? "out of memory" : error.message);
    else
        report_phase(doctor, reply.document);
}

static void check_daemon(const Doctor *doctor)
{
    ask_daemon(doctor);
    if (root_exists(&doctor->root, READY_FILE))
        doctor_ok(doctor->report, "gate.ready", "kubelet may start (%s)", READY_FILE);
    else
        doctor_add(doctor->report, DOCTOR_WARNING, "gate.ready",
                   "It is written when the daemon is ready; see the check \"daemon\".",
                   "kubelet has to wait: there is no %s", READY_FILE);
}

/* ------------------------------------------------------------ links */

/* How udev and networkd see one of ours; what they have no file about they do not look after. */
static void check_link(const Doctor *doctor, const char *check, const char *name, int ifindex)
{
    char udev[64], networkd[64], eks[128];

    (void)snprintf(udev, sizeof(udev), "/run/udev/data/n%i", ifindex);
    (void)snprintf(networkd, sizeof(networkd), "/run/systemd/netif/links/%i", ifindex);
    (void)snprintf(eks, sizeof(eks), "/run/systemd/network/70-eks-%s.network", name);

    if (root_exists(&doctor->root, eks))
        doctor_add(doctor->report, DOCTOR_FAIL, check,
                   "The EKS AMI's udev-net-manager has taken it: see the checks \"manager.udev\" and "
                   "\"manager.no-manage-enis\"; then remove the file, and\n  networkctl reload",
                   "%s gives it to systemd-networkd", eks);
    else if (root_exists(&doctor->root, networkd) &&
             !root_file_contains(&doctor->root, networkd, "ADMIN_STATE=unmanaged"))
        doctor_add(doctor->report, DOCTOR_FAIL, check,
                   "See the checks \"manager.networkd\" and \"files.udev\"; then\n  udevadm trigger "
                   "--subsystem-match=net\n  networkctl reload",
                   "systemd-networkd configures it");
    else if (root_exists(&doctor->root, udev) && !root_file_contains(&doctor->root, udev, "\nE:MULTUS_EKS=1"))
        doctor_add(
            doctor->report, DOCTOR_WARNING, check,
            "udev has not read the daemon's claim, so others may take it. See the check \"files.udev\"; "
            "then\n  udevadm trigger --subsystem-match=net",
            "udev does not know that it is ours");
    else
        doctor_ok(doctor->report, check, "left alone by udev and systemd-networkd");
}

/* Claims by MAC address, until a link of that address was seen. */
typedef struct LinkCheck {
    const Doctor *doctor;
    sd_event *event;
    StrList claims;
} LinkCheck;

static void link_check_done(LinkCheck *check)
{
    strlist_done(&check->claims);
    sd_event_unref(check->event);
}

static void on_link(const RtnlEvent *event, void *userdata)
{
    LinkCheck *check = userdata;
    char mac[MAC_ADDR_TEXT], name[64];

    if (event->type == RTNL_EVENT_ENUMERATED) {
        (void)sd_event_exit(check->event, 0);
        return;
    }
    if (event->type != RTNL_EVENT_LINK_NEW || event->link->stacked)
        return;
    (void)mac_addr_format(rtnl_link_mac(event->link), mac);
    (void)snprintf(name, sizeof(name), "link.%s", event->link->name);
    for (size_t i = 0; i < check->claims.n; i++)
        if (streq(check->claims.items[i], mac)) {
            check_link(check->doctor, name, event->link->name, event->link->ifindex);
            check->claims.items[i][0] = '\0';
        }
}

/* Tells on_link() of every link there is. */
static int enumerate_links(LinkCheck *check)
{
    Rtnl *rtnl = NULL;
    int r;

    r = sd_event_new(&check->event);
    if (r >= 0)
        r = rtnl_new(&rtnl, check->event, on_link, check);
    if (r >= 0)
        r = sd_event_loop(check->event);
    rtnl_free(rtnl);
    return r;
}

static void check_links(const Doctor *doctor)
{
    _cleanup_(link_check_done) LinkCheck check = {.doctor = doctor};
    char name[64];

    (void)root_list(&doctor->root, CLAIMS_DIR, &check.claims);
    if (check.claims.n == 0)
        doctor_skip(doctor->report, "link", "the daemon has claimed no interface yet");
    else if (enumerate_links(&check) < 0)
        doctor_skip(doctor->report, "link", "the kernel does not list its interfaces");
    else
        for (size_t i = 0; i < check.claims.n; i++) {
            if (check.claims.items[i][0] == '\0')
                continue;
            (void)snprintf(name, sizeof(name), "link.%s", check.claims.items[i]);
            doctor_skip(doctor->report, name, "claimed by the daemon, but not there (any more)");
        }
}

/* ------------------------------------------------------------ kernel */

/* The kernel applies the greater of an interface's value and this one (ip-sysctl.rst, rp_filter). */
static void check_rp_filter(const Doctor *doctor)
{
    _cleanup_(freep) char *text = NULL;

    if (fs_read_file("/proc/sys/net/ipv4/conf/all/rp_filter", 16, &text, NULL) < 0)
        doctor_skip(doctor->report, "rp_filter", "cannot be read");
    else if (text[0] == '1')
        doctor_add(
            doctor->report, DOCTOR_WARNING, "rp_filter",
            "The kernel drops what comes in by one interface and would be answered by another, as for a "
            "pod with several networks. Set it to 0 or 2, and for good in "
            "/etc/sysctl.d/90-multus-eks.conf:\n  sysctl -w net.ipv4.conf.all.rp_filter=2",
            "net.ipv4.conf.all.rp_filter is 1 and overrides the 0 of our interfaces");
    else
        doctor_ok(doctor->report, "rp_filter", "net.ipv4.conf.all.rp_filter is %c", text[0]);
}

static void check_clock(const Doctor *doctor)
{
    struct timex state = {.modes = 0};

    if (adjtimex(&state) < 0)
        doctor_skip(doctor->report, "clock.synchronized", "the kernel does not say");
    else if (state.status & STA_UNSYNC)
        doctor_add(
            doctor->report, DOCTOR_WARNING, "clock.synchronized",
            "AWS refuses signatures that are five minutes off. On EC2 the time is at 169.254.169.123:\n"
            "  systemctl status chronyd; chronyc sources",
            "nobody keeps the clock right");
    else
        doctor_ok(doctor->report, "clock.synchronized", "the clock is kept right");
}

void doctor_check_host(Doctor *doctor)
{
    check_daemon(doctor);
    check_links(doctor);
    check_rp_filter(doctor);
    check_clock(doctor);
}
