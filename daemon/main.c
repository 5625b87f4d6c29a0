/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multus-eksd: arguments, inherited file descriptors, the loop.
 */

#include "input/config.h"
#include "manager.h"
#include "util/log.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#define EXIT_USAGE 2

static void usage(FILE *stream)
{
    fputs(
        "Usage: multus-eksd [OPTION]...\n"
        "\n"
        "Gives this EC2 instance its Multus network interfaces, then serves the socket that systemd passes.\n"
        "\n"
        "  --config=FILE         configuration (" CONFIG_FILE
        ")\n"
        "  --state-dir=DIR       what survives a reboot (/var/lib/multus-eks)\n"
        "  --runtime-dir=DIR     what does not (/run/multus-eks)\n"
        "  --root=DIR            prefix for files outside these two, /etc/eks and /sys (none)\n"
        "  --log-level=LEVEL     debug, info, notice, warning, err; stronger than the configuration\n"
        "  --log-target=TARGET   auto, journal, stderr, json\n"
        "  --version             print the version\n"
        "  --help                this text\n"
        "\n"
        "Every key of the configuration stands in " CONFIG_FILE " with its default and a comment.\n",
        stream);
}

enum {
    OPTION_CONFIG = 256,
    OPTION_STATE_DIR,
    OPTION_RUNTIME_DIR,
    OPTION_ROOT,
    OPTION_LOG_LEVEL,
    OPTION_LOG_TARGET,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"runtime-dir", required_argument, NULL, OPTION_RUNTIME_DIR},
    {"root", required_argument, NULL, OPTION_ROOT},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"log-target", required_argument, NULL, OPTION_LOG_TARGET},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {0},
};

/* Returns -1 to go on, else the exit status. */
static int parse_option(int option, ManagerOptions *options, LogTarget *target)
{
    switch (option) {
    case OPTION_CONFIG: options->config_path = optarg; return -1;
    case OPTION_STATE_DIR: options->state_dir = optarg; return -1;
    case OPTION_RUNTIME_DIR: options->runtime_dir = optarg; return -1;
    case OPTION_ROOT: options->root = optarg; return -1;
    case OPTION_LOG_LEVEL:
        if (log_level_from_string(optarg, &options->log_level) == 0)
            return -1;
        fprintf(stderr, "multus-eksd: --log-level=%s: not debug, info, notice, warning or err\n", optarg);
        return EXIT_USAGE;
    case OPTION_LOG_TARGET:
        if (log_target_from_string(optarg, target) == 0)
            return -1;
        fprintf(stderr, "multus-eksd: --log-target=%s: not auto, journal, stderr or json\n", optarg);
        return EXIT_USAGE;
    case OPTION_VERSION: puts("multus-eksd " VERSION); return EXIT_SUCCESS;
    case OPTION_HELP: usage(stdout); return EXIT_SUCCESS;
    default: usage(stderr); return EXIT_USAGE;
    }
}

static int parse_arguments(int argc, char **argv, ManagerOptions *options, LogTarget *target)
{
    int option, status;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
        status = parse_option(option, options, target);
        if (status >= 0)
            return status;
    }
    if (optind < argc) {
        fprintf(stderr, "multus-eksd: unexpected argument %s\n", argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

/* The listening unix socket among the file descriptors that systemd passed, or -1. */
static int inherited_socket(void)
{
    int n = sd_listen_fds(1);

    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++)
        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0)
            return fd;
    return -1;
}

/* SIGTERM and SIGINT come through the loop; writing to a peer that has gone is an error, not a signal. */
static int block_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    return sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}

static int run(const ManagerOptions *options)
{
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(manager_freep) Manager *manager = NULL;
    int r;

    r = block_signals();
    if (r >= 0)
        r = sd_event_default(&event);
    if (r >= 0)
        r = sd_event_set_watchdog(event, true);
    if (r >= 0)
        r = manager_new(&manager, event, options);
    if (r < 0) {
        log_error_errno(r, "Cannot start: %m");
        return MANAGER_EXIT_FAILURE;
    }

    r = manager_start(manager);
    if (r != 0)
        return r;
    r = sd_event_loop(event);
    if (r < 0) {
        log_error_errno(r, "The event loop failed: %m");
        return MANAGER_EXIT_FAILURE;
    }
    return r;
}

int main(int argc, char **argv)
{
    ManagerOptions options = {
        .config_path = CONFIG_FILE,
        .state_dir = "/var/lib/multus-eks",
        .runtime_dir = "/run/multus-eks",
        .root = "",
        .fd_socket = -1,
        .log_level = -1,
    };
    LogTarget target = LOG_TARGET_AUTO;
    int status;

    status = parse_arguments(argc, argv, &options, &target);
    if (status >= 0)
        return status;

    log_open(target);
    options.fd_socket = inherited_socket();
    return run(&options);
}
