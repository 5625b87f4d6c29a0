#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The tests of links, which run on the kernel and on the fake alike. */

#include "io/rtnl.h"

/* Where the devices are. All but start() are done by somebody else: the cloud, udev, an operator. */
typedef struct LinkTestBed {
    const char *sysctl_root;
    bool routes; /* what is configured can be tried with sockets */
    int (*start)(Rtnl **ret, sd_event *event, RtnlEventHandler handler, void *userdata);
    int (*plug)(const MacAddr *mac, const char *name); /* NULL: the next free ethN */
    int (*unplug)(const char *name);
    int (*send_away)(const char *name); /* to another network namespace */
    int (*bring_back)(const char *name);
    int (*rename)(const char *from, const char *to);
    int (*set_up)(const char *name);
    int (*add_altname)(const char *name, const char *altname);
    int (*add_macvlan)(const char *lower, const char *name, const MacAddr *mac);
} LinkTestBed;

/** link_tests_run() - cmocka's exit status; *bed must stay */
int link_tests_run(const char *group, const LinkTestBed *bed);
