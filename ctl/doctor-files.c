/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The installed files. A file counts only when nothing hides it: systemd and udev read /etc before /run
 * before /usr, and a link to /dev/null turns a file off. That a program starts is the proof that its
 * libraries are there, in an image just as on a node, and better than any list.
 */

#include "doctor.h"
#include "run.h"
#include "util/buf.h"
#include <errno.h>
#include <stdio.h>

#define START_TIME  (10 * USEC_PER_SEC)
#define REINSTALL   "Install multus-eks again (make install, or the package)."
#define LIBRARY     "A library is missing: install it, or build multus-eks for this distribution."
#define PLUGIN_PATH "/opt/cni/bin/multus-eks-ip"

static const char *const program_dirs[] = {"/usr/bin", "/usr/local/bin", NULL};
static const char *const plugin_dirs[] = {"/opt/cni/bin", NULL};
static const char *const etc_dirs[] = {"/etc", NULL};

/* Each row is a check; its files belong together. */
static const struct {
    const char *check;
    const char *const *dirs;
    const char *names[3];
    bool program;
} file_rows[] = {
    {"files.units", root_unit_dirs, {"multus-eksd.service", "multus-eksd.socket"}, false},
    {"files.udev", root_udev_dirs, {DOCTOR_CLAIM_RULES, DOCTOR_QUIET_RULES}, false},
    {"files.networkd", root_network_dirs, {DOCTOR_NETWORK}, false},
    {"files.sysusers", root_sysusers_dirs, {"multus-eks.conf"}, false},
    {"files.tmpfiles", root_tmpfiles_dirs, {"multus-eks.conf"}, false},
    {"files.catalog", root_catalog_dirs, {"multus-eks.catalog"}, false},
    {"files.ctl", program_dirs, {"multus-eksctl"}, true},
    {"files.cni-plugin", plugin_dirs, {"multus-eks-ip"}, true},
    {"files.config", etc_dirs, {"multus-eks.conf"}, false},
};

/* Whoever may write a file that root obeys is root. NULL: nothing wrong with it. */
static const char *mode_problem(const struct stat *st, const struct stat *root, bool program)
{
    if (!S_ISREG(st->st_mode))
        return "is no regular file";
    if (st->st_uid != root->st_uid)
        return "does not belong to root";
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return "may be written by others than root";
    if (program && (st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != (S_IXUSR | S_IXGRP | S_IXOTH))
        return "may not be executed by all";
    if (!program && !(st->st_mode & S_IROTH))
        return "may not be read by all";
    return NULL;
}

/* Returns whether it is right, with its path appended; else a result was added. */
static bool check_file(const Doctor *doctor, size_t row, const char *name, Buf *paths)
{
    const char *check = file_rows[row].check, *problem;
    bool program = file_rows[row].program;
    _cleanup_(freep) char *path = NULL;
    struct stat st, root = {0};
    char advice[512];
    int r;

    r = root_find(&doctor->root, file_rows[row].dirs, "", name, &path);
    if (r == ROOT_E_MASKED) {
        (void)snprintf(advice, sizeof(advice),
                       "A link to /dev/null turns it off: find it with\n  ls -l %s/%s\nand remove it.",
                       file_rows[row].dirs[0], name);
        doctor_add(doctor->report, DOCTOR_FAIL, check, advice, "%s is turned off", name);
        return false;
    }
    if (r < 0) {
        doctor_add(doctor->report, DOCTOR_FAIL, check, REINSTALL, "%s is not installed", name);
        return false;
    }
    if (root_stat(&doctor->root, "/", &root) < 0 || root_stat(&doctor->root, path, &st) < 0) {
        doctor_add(doctor->report, DOCTOR_FAIL, check, REINSTALL, "%s cannot be looked at", path);
        return false;
    }
    problem = mode_problem(&st, &root, program);
    if (problem) {
        (void)snprintf(advice, sizeof(advice), "  chown root:root %s; chmod %s %s", path,
                       program ? "0755" : "0644", path);
        doctor_add(doctor->report, DOCTOR_FAIL, check, advice, "%s %s", path, problem);
        return false;
    }
    (void)buf_printf(paths, "%s%s", paths->n > 0 ? ", " : "", path);
    return true;
}

void doctor_check_files(Doctor *doctor)
{
    for (size_t i = 0; i < ARRAY_SIZE(file_rows); i++) {
        _cleanup_buf_ Buf paths = BUF_NULL;
        bool ok = true;

        /* Without a configuration the built-in defaults hold. */
        if (file_rows[i].dirs == etc_dirs && !root_exists(&doctor->root, "/etc/multus-eks.conf")) {
            doctor_ok(doctor->report, file_rows[i].check, "no /etc/multus-eks.conf: the defaults hold");
            continue;
        }
        for (size_t j = 0; ok && j < ARRAY_SIZE(file_rows[i].names) && file_rows[i].names[j]; j++)
            ok = check_file(doctor, i, file_rows[i].names[j], &paths);
        if (ok)
            doctor_ok(doctor->report, file_rows[i].check, "%s", paths.data ? paths.data : "");
    }
}

bool doctor_rule_is_effective(const Doctor *doctor, const char *name)
{
    _cleanup_(freep) char *path = NULL;

    return root_find(&doctor->root, root_udev_dirs, "", name, &path) == 0;
}

/* ------------------------------------------------------------ programs */

/* The program of "ExecStart=/usr/libexec/…", where it was installed; freed by the caller. */
static char *daemon_path(const Doctor *doctor)
{
    _cleanup_(freep) char *unit = NULL;
    _cleanup_(freep) char *text = NULL;
    const char *line;

    if (root_find(&doctor->root, root_unit_dirs, "", "multus-eksd.service", &unit) != 0 ||
        root_read(&doctor->root, unit, ROOT_FILE_MAX, &text, NULL) < 0)
        return NULL;
    line = strstr(text, "\nExecStart=");
    if (!line)
        return NULL;
    line += strlen("\nExecStart=");
    return strndup(line, strcspn(line, " \n"));
}

/* Programs say "NAME VERSION" first; what the dynamic loader has to say begins otherwise. */
static void check_starts(const Doctor *doctor, const char *check, const char *path, const char *option)
{
    const char *const argv[] = {path, option, NULL};
    const char *name = root_basename(path), *version;
    _cleanup_buf_ Buf output = BUF_NULL;
    int r, status = 0;

    r = run_program(&doctor->root, argv, START_TIME, &output, &status);
    if (r == -ENOEXEC || r == -EPERM) {
        doctor_skip(doctor->report, check, "%s cannot be tried here: %s", path, strerror(-r));
        return;
    }
    if (r == -ENOENT && root_exists(&doctor->root, path)) {
        doctor_add(doctor->report, DOCTOR_FAIL, check, LIBRARY,
                   "%s does not start: the dynamic loader is not there", path);
        return;
    }
    if (r < 0) {
        doctor_add(doctor->report, DOCTOR_FAIL, check, REINSTALL, "%s does not start: %s", path,
                   strerror(-r));
        return;
    }

    version = output.data && strncmp(output.data, name, strlen(name)) == 0 ? output.data + strlen(name) : "";
    if (version[0] != ' ') {
        doctor_add(doctor->report, DOCTOR_FAIL, check, LIBRARY, "%s does not start: %.*s", path,
                   output.data ? (int)strcspn(output.data, "\n") : 0, output.data ? output.data : "");
        return;
    }
    version += 1;
    if (strncmp(version, VERSION, strlen(VERSION)) != 0)
        doctor_add(doctor->report, DOCTOR_WARNING, check, REINSTALL,
                   "%s is version %.*s, this program " VERSION, path, (int)strcspn(version, ":\n"), version);
    else
        doctor_ok(doctor->report, check, "%s starts", path);
}

void doctor_check_programs(Doctor *doctor)
{
    _cleanup_(freep) char *path = daemon_path(doctor);

    if (path)
        check_starts(doctor, "program.daemon", path, "--version");
    else
        doctor_skip(doctor->report, "program.daemon", "no unit says where the daemon is");
    if (root_exists(&doctor->root, PLUGIN_PATH))
        check_starts(doctor, "program.cni-plugin", PLUGIN_PATH, NULL);
    else
        doctor_skip(doctor->report, "program.cni-plugin", "%s is not there", PLUGIN_PATH);
}
