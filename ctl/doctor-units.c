/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What systemd has to know: that the daemon is started at boot, and that kubelet waits for it. Read from
 * the files that it reads, so that an image can be looked at before it ever booted; on the node itself
 * systemd is asked besides whether it has read them (a drop-in that came later counts after
 * daemon-reload only).
 */

#include "doctor.h"
#include "register/peer.h"
#include "run.h"
#include "util/buf.h"
#include "util/message-ids.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define GATE        "50-multus-eks.conf"
#define CATALOG     "/var/lib/systemd/catalog/database"
#define CATALOG_MAX ((size_t)64 * 1024 * 1024)
#define ID_SIZE     16
#define ASK_TIME    (10 * USEC_PER_SEC)

/* ------------------------------------------------------------ enabled */

bool doctor_unit_is_enabled(const Doctor *doctor, const char *unit)
{
    for (const char *const *dir = root_unit_dirs; *dir; dir++) {
        _cleanup_strlist_ StrList names = STRLIST_NULL;

        if (root_list(&doctor->root, *dir, &names) < 0)
            continue;
        for (size_t i = 0; i < names.n; i++) {
            const char *dot = strrchr(names.items[i], '.');
            char path[512];

            if (!dot || (!streq(dot, ".wants") && !streq(dot, ".requires")))
                continue;
            (void)snprintf(path, sizeof(path), "%s/%s/%s", *dir, names.items[i], unit);
            if (root_exists(&doctor->root, path))
                return true;
        }
    }
    return false;
}

static void check_enabled(const Doctor *doctor)
{
    static const char *const units[] = {"multus-eksd.service", "multus-eksd.socket"};

    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (!doctor_unit_is_enabled(doctor, units[i])) {
            doctor_add(doctor->report, DOCTOR_FAIL, "units.enabled",
                       "  systemctl enable multus-eksd.service multus-eksd.socket", "%s is not enabled",
                       units[i]);
            return;
        }
    doctor_ok(doctor->report, "units.enabled", "multus-eksd.service, multus-eksd.socket");
}

/* ------------------------------------------------------------ kubelet waits */

/* An empty assignment forgets all commands before it, the gate's among them (systemd.service(5)). */
static bool resets_commands(const char *text)
{
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        line += strspn(line, " \t");
        if (strncmp(line, "ExecStartPre=", strlen("ExecStartPre=")) != 0)
            continue;
        line += strlen("ExecStartPre=");
        line += strspn(line, " \t");
        if (*line == '\n' || *line == '\0')
            return true;
    }
    return false;
}

/* The drop-in behind ours that takes the gate's command away, freed by the caller; or NULL. */
static char *find_reset(const Doctor *doctor, const char *below)
{
    _cleanup_strlist_ StrList paths = STRLIST_NULL;

    if (root_find_all(&doctor->root, root_unit_dirs, below, ".conf", &paths) < 0)
        return NULL;
    for (size_t i = 0; i < paths.n; i++) {
        _cleanup_(freep) char *text = NULL;

        if (strcmp(root_basename(paths.items[i]), GATE) > 0 &&
            root_read(&doctor->root, paths.items[i], ROOT_FILE_MAX, &text, NULL) == 0 &&
            resets_commands(text))
            return strdup(paths.items[i]);
    }
    return NULL;
}

/* What systemd itself says; true where it cannot be asked. */
static bool is_loaded(const Doctor *doctor, const char *unit)
{
    const char *const argv[] = {"systemctl", "show", "--property=DropInPaths", "--property=NeedDaemonReload",
                                unit,        NULL};
    _cleanup_buf_ Buf output = BUF_NULL;
    int status = 0;

    if (!root_is_host(&doctor->root) || !root_exists(&doctor->root, "/run/systemd/system") ||
        run_program(&doctor->root, argv, ASK_TIME, &output, &status) < 0 || status != 0 || !output.data)
        return true;
    return strstr(output.data, GATE) && !strstr(output.data, "NeedDaemonReload=yes");
}

static bool gate_is_whole(const Doctor *doctor, const char *path)
{
    _cleanup_(freep) char *text = NULL;

    return root_read(&doctor->root, path, ROOT_FILE_MAX, &text, NULL) == 0 &&
           strstr(text, "\nAfter=multus-eksd.service") && strstr(text, "\nExecStartPre=");
}

static void check_gate(const Doctor *doctor, const char *unit)
{
    _cleanup_(freep) char *path = NULL;
    _cleanup_(freep) char *reset = NULL;
    char check[64], below[64], advice[768];

    (void)snprintf(check, sizeof(check), "gate.%.*s", (int)strcspn(unit, "."), unit);
    (void)snprintf(below, sizeof(below), "%s.d", unit);

    if (root_find(&doctor->root, root_unit_dirs, below, GATE, &path) != 0 || !gate_is_whole(doctor, path)) {
        (void)snprintf(
            advice, sizeof(advice),
            "It may start before the interfaces are there. The drop-in is %s/%s below the directory "
            "of multus-eksd.service; a file or link of that name in /etc/systemd/system hides it. "
            "Install multus-eks again, then\n  systemctl daemon-reload",
            below, GATE);
        doctor_add(doctor->report, DOCTOR_FAIL, check, advice, "%s does not wait for multus-eksd", unit);
        return;
    }

    reset = find_reset(doctor, below);
    if (reset) {
        (void)snprintf(
            advice, sizeof(advice),
            "The line \"ExecStartPre=\" in it forgets the command by which %s waits. Take the line out, "
            "or rename the file so that it sorts before " GATE ".",
            unit);
        doctor_add(doctor->report, DOCTOR_FAIL, check, advice, "%s undoes %s", reset, GATE);
        return;
    }
    if (!is_loaded(doctor, unit)) {
        doctor_add(doctor->report, DOCTOR_FAIL, check, "  systemctl daemon-reload",
                   "systemd has not read %s yet", path);
        return;
    }
    doctor_ok(doctor->report, check, "%s waits for multus-eksd (%s)", unit, path);
}

static void check_gates(const Doctor *doctor)
{
    _cleanup_(freep) char *kubelet = NULL;
    _cleanup_(freep) char *nodeadm = NULL;

    if (root_find(&doctor->root, root_unit_dirs, "", "kubelet.service", &kubelet) == 0)
        check_gate(doctor, "kubelet.service");
    else
        doctor_add(doctor->report, DOCTOR_WARNING, "gate.kubelet",
                   "If kubelet is started by another unit here, that one needs the drop-in: copy "
                   "kubelet.service.d/" GATE " to its own directory.",
                   "there is no kubelet.service");

    /* nodeadm is of the EKS AMI for Amazon Linux 2023. */
    if (root_find(&doctor->root, root_unit_dirs, "", "nodeadm-run.service", &nodeadm) == 0)
        check_gate(doctor, "nodeadm-run.service");
}

/* ------------------------------------------------------------ group, catalog */

static bool group_exists(const Doctor *doctor, const char *name)
{
    _cleanup_(freep) char *text = NULL;
    size_t n = strlen(name);
    gid_t gid;

    if (root_read(&doctor->root, "/etc/group", ROOT_FILE_MAX, &text, NULL) == 0)
        for (const char *line = text; line; line = strchr(line, '\n')) {
            line += *line == '\n';
            if (strncmp(line, name, n) == 0 && line[n] == ':')
                return true;
        }
    return root_is_host(&doctor->root) && peer_group_by_name(name, &gid) == 0;
}

static void check_group(const Doctor *doctor)
{
    const char *name = doctor->config ? doctor->config->socket_group : "multus-eks";

    if (group_exists(doctor, name))
        doctor_ok(doctor->report, "group", "%s", name);
    else
        doctor_add(doctor->report, DOCTOR_FAIL, "group",
                   "The socket belongs to it, and systemd does not open a socket for a group that is not "
                   "there. Run\n  systemd-sysusers\nor name another in [registration] socket_group and in "
                   "SocketGroup= of multus-eksd.socket.",
                   "there is no group %s", name);
}

/* The database holds ids as 16 bytes, not as text. */
static void parse_id(const char *text, uint8_t id[static ID_SIZE])
{
    for (size_t i = 0; i < ID_SIZE; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};

        id[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

static void check_catalog(const Doctor *doctor)
{
    _cleanup_(freep) char *database = NULL;
    uint8_t id[ID_SIZE];
    size_t n = 0;

    parse_id(MESSAGE_BOOT_FAILED, id);
    if (root_read(&doctor->root, CATALOG, CATALOG_MAX, &database, &n) == 0 &&
        memmem(database, n, id, sizeof(id)))
        doctor_ok(doctor->report, "catalog", "journalctl -x explains what the daemon says");
    else
        doctor_add(doctor->report, DOCTOR_WARNING, "catalog", "  journalctl --update-catalog",
                   "journalctl -x cannot explain what the daemon says");
}

void doctor_check_units(Doctor *doctor)
{
    check_enabled(doctor);
    check_gates(doctor);
    check_group(doctor);
    check_catalog(doctor);
}
