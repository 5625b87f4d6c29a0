/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl check-config: read a configuration as the daemon would, and say every mistake of the
 * file and its drop-ins at once. It asks nobody: whether the subnets exist, and in which zone, is what
 * "multus-eksctl plan" tells.
 */

#include "ctl.h"
#include "input/config.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

static void print_help(void)
{
    puts(
        "usage: multus-eksctl check-config [FILE]\n"
        "\n"
        "Check FILE, or " CONFIG_FILE
        ", and the drop-ins in FILE.d/*.conf.\n"
        "\n"
        "Options:\n"
        "  -h, --help     show this text\n"
        "\n"
        "Exit status: 0 the daemon would start with it, 1 it would not, 2 wrong usage.");
}

static void print_notes(const Config *config)
{
    _cleanup_buf_ Buf notes = BUF_NULL;

    if (config_notes(config, &notes) == 0 && notes.data)
        fputs(notes.data, stdout);
}

/* What the file says, in a line, so that a file read by mistake is noticed. */
static void print_summary(const char *path, const Config *config)
{
    const size_t n_subnets = config->defaults.subnets.n;

    if (access(path, F_OK) < 0)
        printf("%s: absent, the built-in defaults hold\n", path);
    printf("%s: ok; ", path);
    if (config->n_networks > 0)
        printf("%zu named network%s\n", config->n_networks, config->n_networks == 1 ? "" : "s");
    else if (n_subnets > 0)
        printf("%zu subnet%s listed%s\n", n_subnets, n_subnets == 1 ? "" : "s",
               config->tags ? ", unless tags say otherwise" : "");
    else
        puts(config->tags ? "networks come from tags" : "no networks, and tags are not asked");
    print_notes(config);
}

static int check_config(const char *path)
{
    _cleanup_(config_freep) Config *config = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;
    int r;

    r = config_load(path, &config, &errors);
    if (r < 0) {
        if (errors.data)
            fputs(errors.data, stderr);
        else
            fprintf(stderr, "%s: %s\n", path, strerror(-r));
        return CTL_EXIT_FAILED;
    }

    print_summary(path, config);
    return CTL_EXIT_OK;
}

int ctl_check_config(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
        switch (c) {
        case 'h': print_help(); return CTL_EXIT_OK;
        default: return ctl_try_help(argv[0]);
        }

    if (argc - optind > 1) {
        fprintf(stderr, "%s: one file at most\n", argv[0]);
        return ctl_try_help(argv[0]);
    }
    return check_config(optind < argc ? argv[optind] : CONFIG_FILE);
}
