#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What multus-eksctl's subcommands share: their entry points, exit statuses and default paths. */

#include "util/macro.h"
#include "util/time.h"

/* Exit statuses of every subcommand; the node's state has its own, so that scripts can tell. */
typedef enum CtlExit {
    CTL_EXIT_OK = 0,        /* done; status: the node is ready */
    CTL_EXIT_FAILED = 1,    /* could not be done; status: the boot failed, or nobody answered */
    CTL_EXIT_USAGE = 2,     /* the command line is wrong */
    CTL_EXIT_NOT_READY = 3, /* not now, try again; status: the boot is still under way */
    CTL_EXIT_DEGRADED = 4,  /* status: kubelet was let go although an interface is missing */
    CTL_EXIT_REFUSED = 5,   /* not at all: asking again does not help */
} CtlExit;

/*
 * The subcommands, one file each. argv[0] is "multus-eksctl" and the subcommand's name, so getopt_long() can
 * be used as in a program of its own, and every message begins with it. Each answers --help itself and
 * returns a CtlExit.
 */

/** ctl_status() - what the daemon says of the node: phase, interfaces, timings */
int ctl_status(int argc, char **argv);

/** ctl_addresses() - what is registered */
int ctl_addresses(int argc, char **argv);

/** ctl_register() - make addresses routable to this node */
int ctl_register(int argc, char **argv);

/** ctl_unregister() - give them back */
int ctl_unregister(int argc, char **argv);

/** ctl_plan() - which interfaces this node would get; changes nothing */
int ctl_plan(int argc, char **argv);

/** ctl_check_config() - whether the daemon would accept a configuration file */
int ctl_check_config(int argc, char **argv);

/** ctl_doctor() - what would go wrong, and how to mend it */
int ctl_doctor(int argc, char **argv);

/** ctl_policy() - the IAM policy for a configuration */
int ctl_policy(int argc, char **argv);

/**
 * ctl_try_help() - end of a wrong command line: point to --help
 * @command: the subcommand's argv[0]
 *
 * Return: CTL_EXIT_USAGE, for the caller to return.
 */
int ctl_try_help(const char *command);

/** ctl_unexpected() - the same for an argument that the subcommand does not take */
int ctl_unexpected(const char *command, const char *argument);

/** ctl_parse_timeout() - the value of --timeout, up to a day; 0, or -EINVAL after a message */
int ctl_parse_timeout(const char *command, const char *text, usec_t *ret);
