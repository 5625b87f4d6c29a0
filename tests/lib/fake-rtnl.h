#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* A kernel of network devices in memory. */

#include "io/rtnl.h"

typedef struct FakeRtnl FakeRtnl;

/* What a test may look at. */
typedef struct FakeRtnlCounts {
    unsigned n_requests;
    unsigned n_link_sets;
    unsigned n_downs;
    unsigned n_addresses;
    unsigned n_routes;
    unsigned n_rules;
} FakeRtnlCounts;

/** fake_rtnl_reset() - forget every device, address, route and rule */
void fake_rtnl_reset(void);

/** fake_rtnl_new() - the backend, as rtnl_new(); the devices are there before and after it */
int fake_rtnl_new(Rtnl **ret, sd_event *event, RtnlEventHandler handler, void *userdata);

/** fake_rtnl_counts() - what was asked for since fake_rtnl_reset() */
const FakeRtnlCounts *fake_rtnl_counts(void);

/**
 * fake_rtnl_objects() - what was added, one line each
 *
 * "address 10.0.0.5/24 dev 1 noprefixroute", "route 0.0.0.0/0 via 10.0.0.1 src 10.0.0.5 dev 1 table 20001",
 * "rule 31001: from 10.0.0.5/32 lookup 20001"
 */
const StrList *fake_rtnl_objects(void);

/** fake_rtnl_refuse_busy() - renaming a device that is up is -EBUSY, as before Linux 6.x */
void fake_rtnl_refuse_busy(bool refuse);

/** fake_rtnl_set_max_mtu() - of devices plugged from now on; 0: the driver does not tell */
void fake_rtnl_set_max_mtu(uint32_t max_mtu);

/** fake_rtnl_set_parent() - of devices plugged from now on; "", "": the kernel does not tell */
void fake_rtnl_set_parent(const char *bus, const char *device);

/** fake_rtnl_fail_next() - the next request other than a name is answered with the error */
void fake_rtnl_fail_next(int error);

/* The doings of others, as in netns.h. */
int fake_rtnl_plug(const MacAddr *mac, const char *name);
int fake_rtnl_unplug(const char *name);
int fake_rtnl_send_away(const char *name);
int fake_rtnl_bring_back(const char *name);
int fake_rtnl_rename(const char *from, const char *to);
int fake_rtnl_set_mac(const char *name, const MacAddr *mac);
int fake_rtnl_set_up(const char *name);
int fake_rtnl_set_down(const char *name);
int fake_rtnl_add_altname(const char *name, const char *altname);
int fake_rtnl_add_macvlan(const char *lower, const char *name, const MacAddr *mac);
