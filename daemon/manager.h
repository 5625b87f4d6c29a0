#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The stages of the daemon, in order. */

#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct Manager Manager;

#define MANAGER_EXIT_FAILURE  1
#define MANAGER_EXIT_GIVEN_UP 69 /* EX_UNAVAILABLE of sysexits.h: it has been restarted often enough */
#define MANAGER_EXIT_CONFIG   78 /* EX_CONFIG: restarting does not help */

/* Strings are borrowed and must outlive the manager. */
typedef struct ManagerOptions {
    const char *config_path;
    const char *state_dir;   /* "/var/lib/multus-eks": survives a reboot */
    const char *runtime_dir; /* "/run/multus-eks" */
    const char *root;        /* "": prefix of the other files of the host, /etc/eks and /sys */
    int fd_socket;           /* listening unix socket, taken over; -1: none was passed */
    int log_level;           /* overrides the configuration's; -1: does not */
} ManagerOptions;

/** manager_new() - nothing is done yet; fd_socket is owned from here on, also on failure */
int manager_new(Manager **ret, sd_event *event, const ManagerOptions *options);
Manager *manager_free(Manager *manager);

/**
 * manager_start() - load the configuration and set the stages going
 *
 * The loop ends by sd_event_exit() with 0 after SIGTERM or SIGINT; when the boot failed and on_failure is
 * block, with MANAGER_EXIT_FAILURE, or MANAGER_EXIT_GIVEN_UP for the last of TRIES_MAX in a row.
 *
 * Return: 0; MANAGER_EXIT_CONFIG or MANAGER_EXIT_FAILURE when it cannot be started, which has been
 * logged.
 */
int manager_start(Manager *manager);

DEFINE_CLEANUP(Manager, manager_free)
