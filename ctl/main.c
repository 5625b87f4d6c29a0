/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksctl: what people and scripts ask of a node. One table of subcommands, one file each; this
 * file knows their names and nothing of what they do. Subcommands either ask the daemon over its
 * socket (status, addresses, register) or do without it (check-config, plan), so that a node whose daemon
 * does not start can still be looked at.
 */

#include "ctl.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>

typedef struct Command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} Command;

static const Command commands[] = {
    {"status", "show the node's interfaces, phase and boot timing", ctl_status},
    {"addresses", "show the pod addresses registered on this node", ctl_addresses},
    {"register", "make addresses routable to this node", ctl_register},
    {"unregister", "give addresses back", ctl_unregister},
    {"plan", "show what the daemon would do; changes nothing", ctl_plan},
    {"check-config", "check a configuration file", ctl_check_config},
    {"doctor", "say what would go wrong on this node, or with an image", ctl_doctor},
    {"policy", "print the IAM policy that the node's role needs", ctl_policy},
};

static void print_help(FILE *file)
{
    fputs(
        "usage: multus-eksctl COMMAND [OPTION...]\n"
        "\n"
        "Ask and check the daemon that gives this node its Multus network interfaces.\n"
        "\n"
        "Commands:\n",
        file);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(file, "  %-14s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n"
        "Options:\n"
        "  -h, --help     show this text; after a command: that command's options\n"
        "  --version      show the version\n"
        "\n"
        "Exit status: 0 done, 1 failed, 2 wrong usage; status, register, unregister and doctor have more,\n"
        "see their --help.\n",
        file);
}

int ctl_try_help(const char *command)
{
    fprintf(stderr, "Try '%s --help'.\n", command);
    return CTL_EXIT_USAGE;
}

int ctl_unexpected(const char *command, const char *argument)
{
    fprintf(stderr, "%s: unexpected argument '%s'\n", command, argument);
    return ctl_try_help(command);
}

int ctl_parse_timeout(const char *command, const char *text, usec_t *ret)
{
    usec_t timeout;

    if (time_parse_duration(text, &timeout) < 0 || timeout == 0 || timeout > USEC_PER_DAY) {
        fprintf(stderr, "%s: --timeout '%s': not a time such as 90, 90s or 2min, up to 1d\n", command, text);
        return -EINVAL;
    }
    *ret = timeout;
    return 0;
}

static const Command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (streq(commands[i].name, name))
            return &commands[i];
    return NULL;
}

/* Output that did not arrive (a full disk, a closed pipe) must not look like success. */
static int close_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;

    fputs("multus-eksctl: cannot write the output\n", stderr);
    return status == CTL_EXIT_OK ? CTL_EXIT_FAILED : status;
}

int main(int argc, char **argv)
{
    const Command *command;
    char name[64];

    if (argc < 2) {
        print_help(stderr);
        return CTL_EXIT_USAGE;
    }
    if (streq(argv[1], "--help") || streq(argv[1], "-h") || streq(argv[1], "help")) {
        print_help(stdout);
        return close_output(CTL_EXIT_OK);
    }
    if (streq(argv[1], "--version")) {
        puts("multus-eksctl " VERSION);
        return close_output(CTL_EXIT_OK);
    }

    command = find_command(argv[1]);
    if (!command) {
        fprintf(stderr, "multus-eksctl: unknown command '%s'\n", argv[1]);
        return ctl_try_help("multus-eksctl");
    }

    /* A daemon that closes the connection is an error to report, not a reason to die. */
    (void)signal(SIGPIPE, SIG_IGN);

    /* Where a message begins, getopt_long()'s too. */
    (void)snprintf(name, sizeof(name), "multus-eksctl %s", command->name);
    argv[1] = name;
    return close_output(command->run(argc - 1, argv + 1));
}
