#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* One Multus link: from the device's appearance to up. */

#include "link/driver.h"
#include "util/inaddr.h"
#include "util/macro.h"
#include "util/strlist.h"
#include "util/time.h"
#include <net/if.h>

typedef struct Link Link;

typedef enum LinkState {
    LINK_STATE_WAITING,     /* no device with this MAC yet */
    LINK_STATE_UDEV,        /* seen; udev has not finished with it */
    LINK_STATE_NAMING,      /* down and being renamed, or waiting for the name to become free */
    LINK_STATE_CONFIGURING, /* altnames, MTU, sysctls, up, addresses, routes, rules */
    LINK_STATE_UP,          /* as wanted, IFF_UP seen */
    LINK_STATE_BOUND,       /* with its driver for DPDK; no network device any more */
    LINK_STATE_AWAY,        /* has been up in this boot, and is with a pod now */
    LINK_STATE_FAILED,      /* given up; links tell why */
} LinkState;
#define N_LINK_STATES (LINK_STATE_FAILED + 1)

typedef enum LinkEventType {
    LINK_EVENT_SEEN,   /* the device appeared */
    LINK_EVENT_SLOW,   /* 15 s after links_expect() and no device */
    LINK_EVENT_UP,     /* ready for pods; state is UP or BOUND */
    LINK_EVENT_FAILED, /* error and text say why; state is FAILED */
    LINK_EVENT_AWAY,   /* the device is in another network namespace: nothing is wrong; state is AWAY */
    LINK_EVENT_GONE,   /* the device vanished; state is WAITING again, no timeout runs */
} LinkEventType;

typedef struct LinkEvent {
    LinkEventType type;
    Link *link;
    int error; /* with FAILED: -ETIMEDOUT no device, -EEXIST name held by a foreign device, else the kernel's
                */
    const char *text; /* with FAILED: one sentence; with UP: what is not quite as asked for; else "" */
    bool changed;     /* with UP: something had to be changed; false when it was as wanted already */
} LinkEvent;

typedef void (*LinkHandler)(const LinkEvent *event, void *userdata);

/* host_address = yes: the interface's own addresses on the host, in a table and rule of its own. */
typedef struct LinkAddress {
    InPrefix prefix; /* address with the subnet's length */
    InAddr gateway;  /* first host address of the subnet (VPC router) */
} LinkAddress;

/* Reserved for the tables and rules of host_address = yes (README, "Addresses on the host"). */
#define LINK_TABLE_BASE    20000u
#define LINK_PRIORITY_BASE 31000u

typedef struct LinkSpec {
    MacAddr mac;
    char ifname[IFNAMSIZ];
    StrList altnames;         /* ENI id, the network's name … */
    char driver[DRIVER_TEXT]; /* for DPDK, instead of all below; "": the kernel's own */
    uint32_t mtu;             /* lowered to the device's maximum, with a warning */
    usec_t timeout;           /* from links_expect() to the device's appearance */
    bool was_up;              /* in this boot: when it is not here from the start, a pod has it */
    LinkAddress addresses[2]; /* IPv4, IPv6 */
    size_t n_addresses;       /* 0: host_address = no */
    uint32_t table;           /* LINK_TABLE_BASE + position */
    uint32_t priority;        /* LINK_PRIORITY_BASE + position */
    void *userdata;           /* whatever the owner wants to find again */
} LinkSpec;

/** link_spec_done() - free what the spec owns */
void link_spec_done(LinkSpec *spec);

/** link_is_expected() - its device is due, and the clocks of links_expect() run */
bool link_is_expected(const Link *link);

/** link_state() - where it is */
LinkState link_state(const Link *link);

/** link_state_to_string() - "waiting" … */
const char *link_state_to_string(LinkState state);

/** link_state_describe() - the same for people: "waiting for its device" … */
const char *link_state_describe(LinkState state);

/** link_is_ready() - up, bound to its driver, or with a pod */
bool link_is_ready(const Link *link);

/** link_pci_address() - of its device, bound or not; 0, -ENODEV when there is none, -ENXIO when it has gone
 */
int link_pci_address(const Link *link, char ret[static PCI_ADDRESS_TEXT]);

/** link_spec() - as passed to links_add() */
const LinkSpec *link_spec(const Link *link);

/** link_ifindex() - of the device, 0 while there is none */
int link_ifindex(const Link *link);

/** link_name() - the device's name at the moment, "" while there is none */
const char *link_name(const Link *link);

/** link_mtu() - the device's MTU at the moment, 0 while there is none */
uint32_t link_mtu(const Link *link);
