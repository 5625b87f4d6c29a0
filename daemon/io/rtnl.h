#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The kernel's network links, addresses, routes and rules as plain structs. */

#include "util/inaddr.h"
#include "util/macro.h"
#include "util/strlist.h"
#include <net/if.h>
#include <systemd/sd-event.h>

typedef struct Rtnl Rtnl;
typedef struct RtnlOps RtnlOps;
typedef struct RtnlSlot RtnlSlot;

#define RTNL_ALTNAME_MAX 127 /* ALTIFNAMSIZ - 1 */
#define RTNL_PARENT_TEXT 64  /* more than the name of any PCI or virtio device */

/* Positive outcome of a request: an identical object was there already, nothing was changed. */
#define RTNL_E_EXISTS 1

/* A link as RTM_NEWLINK tells it. Owns its strings. */
typedef struct RtnlLink {
    int ifindex;
    char name[IFNAMSIZ];
    MacAddr mac;           /* IFLA_ADDRESS */
    MacAddr permanent_mac; /* IFLA_PERM_ADDRESS; zero when the driver has none */
    unsigned flags;        /* IFF_UP, IFF_RUNNING, IFF_LOWER_UP … */
    uint32_t mtu;
    uint32_t max_mtu; /* IFLA_MAX_MTU; 0: no limit told */
    bool carrier;
    bool stacked; /* lies on another device (ipvlan, vlan, bridge …) or is the loopback: may carry the
                     MAC of an ENI without being one */
    bool moved;   /* with REMOVED: it is in another network namespace, not gone */
    /* The device that it belongs to, "pci" and "0000:00:06.0" or "virtio" and "virtio1"; "" for a veth, and
     * before Linux 5.14 */
    char parent_bus[RTNL_PARENT_TEXT];    /* IFLA_PARENT_DEV_BUS_NAME */
    char parent_device[RTNL_PARENT_TEXT]; /* IFLA_PARENT_DEV_NAME */
    StrList altnames;
} RtnlLink;

typedef enum RtnlEventType {
    RTNL_EVENT_LINK_NEW, /* appeared, or anything about it changed */
    RTNL_EVENT_LINK_REMOVED,
    RTNL_EVENT_ENUMERATED, /* the first dump is complete: what is there has been told */
} RtnlEventType;

typedef struct RtnlEvent {
    RtnlEventType type;
    const RtnlLink *link; /* NULL with ENUMERATED */
} RtnlEvent;

typedef void (*RtnlEventHandler)(const RtnlEvent *event, void *userdata);

/* result: 0, RTNL_E_EXISTS, or negative errno as the kernel answered. */
typedef void (*RtnlHandler)(int result, void *userdata);

/*
 * Changes of one link; what has no flag is left alone. The kernel applies MTU, name and flags in this
 * order whatever the order of the attributes: a link that must be down to be renamed takes two requests.
 */
typedef enum RtnlLinkSetFlags {
    RTNL_LINK_SET_NAME = 1 << 0,
    RTNL_LINK_SET_MTU = 1 << 1,
    RTNL_LINK_SET_UP = 1 << 2,
    RTNL_LINK_SET_DOWN = 1 << 3,
} RtnlLinkSetFlags;

typedef struct RtnlLinkSet {
    int ifindex;
    unsigned flags;
    char name[IFNAMSIZ];
    uint32_t mtu;
} RtnlLinkSet;

typedef struct RtnlAddress {
    int ifindex;
    InPrefix prefix;      /* address with the subnet's prefix length */
    bool no_prefix_route; /* IFA_F_NOPREFIXROUTE: the main table gets no route from it */
} RtnlAddress;

typedef struct RtnlRoute {
    InPrefix destination; /* length 0: default; the family says which */
    InAddr gateway;       /* or none: on link */
    InAddr prefsrc;       /* or none */
    int ifindex;
    uint32_t table;
} RtnlRoute;

/* What comes from an address, or is to leave by an interface; from says the family in any case. */
typedef struct RtnlRule {
    InPrefix from;          /* length 0: whatever comes from */
    char oifname[IFNAMSIZ]; /* or "" */
    uint32_t table;
    uint32_t priority;
} RtnlRule;

/*
 * The only seam: the kernel (rtnl.c) and the fake of the tests (tests/lib/fake-rtnl.c) implement it.
 * Every request is asynchronous; the handler is called exactly once from the loop, with the kernel's
 * answer, unless the slot is freed before. Requests take effect in the order in which they were made,
 * so that a sequence need not wait for the answers in between. A thing that is already as asked for is
 * success: an altname, address, route or rule answers RTNL_E_EXISTS. A slot stays with the caller
 * after its handler was called, and is freed by him in any case.
 */
struct RtnlOps {
    int (*link_set)(Rtnl *rtnl, const RtnlLinkSet *set, RtnlHandler handler, void *userdata, RtnlSlot **ret);
    int (*altname_add)(Rtnl *rtnl, int ifindex, const char *name, RtnlHandler handler, void *userdata,
                       RtnlSlot **ret);
    int (*altname_remove)(Rtnl *rtnl, int ifindex, const char *name, RtnlHandler handler, void *userdata,
                          RtnlSlot **ret);
    int (*address_add)(Rtnl *rtnl, const RtnlAddress *address, RtnlHandler handler, void *userdata,
                       RtnlSlot **ret);
    int (*route_add)(Rtnl *rtnl, const RtnlRoute *route, RtnlHandler handler, void *userdata, RtnlSlot **ret);
    int (*rule_add)(Rtnl *rtnl, const RtnlRule *rule, RtnlHandler handler, void *userdata, RtnlSlot **ret);
    /* Tell every link again: the kernel keeps silent about altnames of a device that is down. */
    void (*refresh)(Rtnl *rtnl);
    void (*slot_free)(RtnlSlot *slot);
    void (*free)(Rtnl *rtnl);
};

/* First member of every implementation. */
struct Rtnl {
    const RtnlOps *ops;
};

/**
 * rtnl_new() - open the kernel's sockets on the loop and start the first dump
 * @handler: told of every link, first what is there, then changes
 *
 * An overrun of the socket (ENOBUFS) or an interrupted dump (NLM_F_DUMP_INTR) dumps anew; a link
 * that is gone from a dump is told as REMOVED.
 *
 * Return: 0, -ENOMEM, or the errno of socket() and sd-event.
 */
int rtnl_new(Rtnl **ret, sd_event *event, RtnlEventHandler handler, void *userdata);

/** rtnl_link_done() - free what the link owns; all zero afterwards */
void rtnl_link_done(RtnlLink *link);

/** rtnl_link_copy() - deep copy; *ret is written on success only; 0 or -ENOMEM */
int rtnl_link_copy(const RtnlLink *link, RtnlLink *ret);

/** rtnl_link_mac() - what identifies the device: the permanent MAC, else the present one */
static inline const MacAddr *rtnl_link_mac(const RtnlLink *link)
{
    return mac_addr_is_set(&link->permanent_mac) ? &link->permanent_mac : &link->mac;
}

static inline Rtnl *rtnl_free(Rtnl *rtnl)
{
    if (rtnl)
        rtnl->ops->free(rtnl);
    return NULL;
}

static inline RtnlSlot *rtnl_slot_free(Rtnl *rtnl, RtnlSlot *slot)
{
    if (slot)
        rtnl->ops->slot_free(slot);
    return NULL;
}

DEFINE_CLEANUP(Rtnl, rtnl_free)
