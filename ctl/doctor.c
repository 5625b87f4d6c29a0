/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl doctor: what would go wrong on this node, and how to mend it; with --image, what can be
 * said of an image before it boots. Changes nothing, needs no daemon.
 *
 * With --root the files are those below a directory: a chroot or a mounted image, or, for a container
 * with the host's network, where the host's root directory is mounted.
 */

#include "doctor.h"
#include "ctl.h"
#include "util/buf.h"
#include "util/log.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

/* Somebody waits for it. */
#define DOCTOR_TIME (30 * USEC_PER_SEC)

static void print_help(void)
{
    puts(
        "usage: multus-eksctl doctor [OPTION...]\n"
        "\n"
        "Say what would go wrong on this node and how to mend it. Changes nothing; permissions are tried by\n"
        "DryRun, or by calls that cannot succeed.\n"
        "\n"
        "Options:\n"
        "  --image             only what an image must have: asks neither IMDS nor AWS nor the kernel\n"
        "  --root DIR          the files of the host or image are below DIR\n"
        "  --json              print the results as JSON\n"
        "  --config FILE       configuration instead of " CONFIG_FILE
        "\n"
        "  --socket PATH       the daemon's socket instead of /run/multus-eks/multus-eks.sock\n"
        "  --timeout TIME      wait so long for AWS, such as 90, 90s or 2min (30s)\n"
        "  --no-registration   pods of this node need no addresses registered\n"
        "  -h, --help          show this text\n"
        "\n"
        "Exit status: 0 nothing wrong, 1 something is, 2 wrong usage, 4 warnings alone.");
}

static void check_config(Doctor *doctor, const char *given)
{
    bool absent = !given && !root_exists(&doctor->root, CONFIG_FILE);
    _cleanup_buf_ Buf errors = BUF_NULL;
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s%s",
                   given || streq(doctor->root.path, "/") ? "" : doctor->root.path,
                   given ? given : CONFIG_FILE);
    /* The defaults hold where there is none; config_load() knows that of the usual path only. */
    if (absent && !streq(path, CONFIG_FILE))
        doctor->config = config_new();
    else if (config_load(path, &doctor->config, &errors) < 0)
        doctor->config = NULL;

    if (doctor->config && absent)
        doctor_ok(doctor->report, "config", "no %s: the built-in defaults hold", CONFIG_FILE);
    else if (doctor->config)
        doctor_ok(doctor->report, "config", "%s is valid", path);
    else
        doctor_add_lines(doctor->report, DOCTOR_FAIL, "config",
                         "The daemon does not start with it. Mend it, then\n  multus-eksctl check-config",
                         errors.data ? errors.data : "it cannot be read");
}

static void examine(Doctor *doctor, const char *config_path, bool image)
{
    check_config(doctor, config_path);
    doctor_check_files(doctor);
    doctor_check_programs(doctor);
    doctor_check_units(doctor);
    doctor_check_managers(doctor);
    if (image)
        return;
    doctor_check_host(doctor);
    doctor_check_drivers(doctor);
    doctor_check_routing(doctor);
    doctor_check_aws(doctor);
}

static int exit_status(const DoctorReport *report)
{
    int worst = doctor_report_status(report);

    if (worst < 0) {
        fputs("multus-eksctl doctor: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }
    if (worst == DOCTOR_FAIL)
        return CTL_EXIT_FAILED;
    return worst == DOCTOR_WARNING ? CTL_EXIT_DEGRADED : CTL_EXIT_OK;
}

static int run_doctor(Doctor *doctor, const char *root, const char *config_path, bool image, bool json)
{
    _cleanup_(doctor_report_freep) DoctorReport *report = NULL;
    int r;

    r = root_open(root, &doctor->root);
    if (r < 0) {
        fprintf(stderr, "multus-eksctl doctor: %s: %s\n", root, strerror(-r));
        return CTL_EXIT_FAILED;
    }
    r = doctor_report_new(&report);
    if (r < 0) {
        fputs("multus-eksctl doctor: out of memory\n", stderr);
        return CTL_EXIT_FAILED;
    }

    doctor->report = report;
    examine(doctor, config_path, image);
    if (json)
        doctor_report_print_json(report, image ? "image" : "node", stdout);
    else
        doctor_report_print_table(report, stdout);
    return exit_status(report);
}

static void doctor_done(Doctor *doctor)
{
    config_free(doctor->config);
    root_close(&doctor->root);
}

int ctl_doctor(int argc, char **argv)
{
    static const struct option options[] = {
        {"image", no_argument, NULL, 'i'},
        {"root", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},
        {"config", required_argument, NULL, 'c'},
        {"socket", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'},
        {"no-registration", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    _cleanup_(doctor_done) Doctor doctor = {.root = ROOT_NULL, .timeout = DOCTOR_TIME, .registration = true};
    const char *root = "/", *config_path = NULL;
    bool image = false, json = false;
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
        switch (c) {
        case 'i': image = true; break;
        case 'r': root = optarg; break;
        case 'j': json = true; break;
        case 'c': config_path = optarg; break;
        case 's': doctor.socket_path = optarg; break;
        case 't':
            if (ctl_parse_timeout(argv[0], optarg, &doctor.timeout) < 0)
                return ctl_try_help(argv[0]);
            break;
        case 'n': doctor.registration = false; break;
        case 'h': print_help(); return CTL_EXIT_OK;
        default: return ctl_try_help(argv[0]);
        }
    if (optind < argc)
        return ctl_unexpected(argv[0], argv[optind]);

    log_set_max_level(LOG_ERR);
    return run_doctor(&doctor, root, config_path, image, json);
}
