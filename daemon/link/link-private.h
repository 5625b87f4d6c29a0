#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The inside of links, for the files of this directory and their tests. */

#include "io/udev.h"
#include "link/links.h"

#define LINK_SLOW_USEC          (15 * USEC_PER_SEC)
#define LINK_UDEV_PATIENCE_USEC (10 * USEC_PER_SEC)
#define LINK_NAME_PATIENCE_USEC (10 * USEC_PER_SEC)
#define LINK_RENAME_GRACE_USEC  (2 * USEC_PER_SEC)
#define LINK_DISTURBANCES_MAX   5
#define LINK_DISTURBANCES_USEC  USEC_PER_MINUTE

typedef struct LinkRequest LinkRequest;

/* One request to the kernel under way. */
struct LinkRequest {
    Link *link;
    LinkRequest *next;
    RtnlSlot *slot;
    const char *what;          /* static: "rename it", … */
    int altname_ifindex;       /* whose altname is added or removed; 0: another request */
    const char *altname_added; /* owned by the spec */
    bool rename;               /* -EEXIST and -EBUSY are no failure: look again */
    bool optional;             /* a failure is told, the link goes up all the same */
};

struct Link {
    Links *links;
    Link *next;
    LinkSpec spec;
    LinkState state;
    int ifindex; /* 0: no device */

    LinkRequest *requests;
    char renaming_to[IFNAMSIZ]; /* asked for, and no event has shown it yet */
    unsigned asked_at;          /* links->n_events at that moment */
    bool refused;               /* the kernel did not give the name */
    bool refreshed;             /* and was asked to tell of all devices again, for that */
    bool settings_awaited;      /* likewise, for the settings under its name */

    sd_event_source *timer;
    usec_t slow_at;  /* CLOCK_MONOTONIC; USEC_INFINITY: told, or not to be told */
    usec_t deadline; /* of the device's appearance */

    char pci_address[PCI_ADDRESS_TEXT]; /* in state BOUND */
    bool resumed;                       /* an earlier run's binding was looked for */
    bool unbindable;                    /* it has failed for that: no other try when the device comes back */

    bool been_up; /* in this boot: where it goes to another namespace, that is a pod's */

    bool changed;
    char *text; /* what is not quite as asked for */
    unsigned n_disturbances;
    usec_t disturbed_at;
};

struct Links {
    sd_event *event;
    Rtnl *rtnl; /* not owned */
    Udev *udev; /* NULL: none runs here */
    char *sysctl_root;
    DriverHost drivers; /* sysfs is NULL where there are none */
    LinkHandler handler;
    void *userdata;
    Link *links;

    RtnlLink *devices; /* every device of the namespace */
    size_t n_devices;
    size_t n_devices_allocated;
    unsigned n_events;
    bool enumerated; /* what was there at the start is among the devices */

    sd_event_source *again; /* runs once after anything that may let a waiting link go on */
    usec_t slow_usec;
    usec_t udev_patience_usec;
    usec_t name_patience_usec;
    usec_t rename_grace_usec; /* 0 until the node is or was ready */
};

/* links.c */
const RtnlLink *links_device(const Links *links, int ifindex);
const RtnlLink *links_device_by_name(const Links *links, const char *name);
Link *links_find_by_ifname(const Links *links, const char *ifname);
Link *links_find_by_ifindex(const Links *links, int ifindex);
const RtnlLink *links_device_of(const Links *links, const Link *link);
void links_note_altname(Links *links, int ifindex, const char *name, bool present);
void links_run_again(Links *links);

/** link_spec_copy() - 0, or -ENOMEM (spec.c) */
int link_spec_copy(const LinkSpec *spec, LinkSpec *ret);

/* link.c: a link's life. Events of the device, of udev and of the clock come in here. */
int link_new(Links *links, const LinkSpec *spec, Link **ret);
Link *link_free(Link *link);
void link_on_expected(Link *link);
void link_on_device(Link *link, const RtnlLink *device);
void link_on_removed(Link *link, bool moved);
void link_on_udev(Link *link);
void link_on_again(Link *link);
void link_fail(Link *link, int error, const char *format, ...) _printf_(3, 4);
void link_warn(Link *link, const char *format, ...) _printf_(2, 3);
void link_set_state(Link *link, LinkState state);
void link_emit(Link *link, LinkEventType type, int error, const char *text);
void link_arm(Link *link, usec_t at);
void link_disarm(Link *link);

/** link_configure() - its name is right: everything else, in one go (configure.c) */
void link_configure(Link *link, const RtnlLink *device);

/** link_check_configured() - up, when all answers are there and the kernel has told so (configure.c) */
void link_check_configured(Link *link);

/** link_set_device() - ask for changes; @what is static, as of link_request_new() (configure.c) */
void link_set_device(Link *link, const RtnlLinkSet *set, const char *what, bool rename);

/* Register a request under way; *ret takes the slot that the call to rtnl returns. */
LinkRequest *link_request_new(Link *link, const char *what);
void link_request_started(LinkRequest *request, int r);
void link_on_answer(int result, void *userdata);

/** link_configure_addresses() - ask for the host's addresses, routes and rules (address.c) */
void link_configure_addresses(Link *link);

/**
 * sysctl_configure() - write the settings of an interface that differ (sysctl.c)
 * @root: "/proc/sys"
 * @host_ipv6: the host itself speaks IPv6 here
 * @ret_changed: whether anything was written, also when it fails
 *
 * Return: 0, also without IPv6; -ENOENT when some are not there under that name: somebody else renames the
 * device at this moment, for the kernel tells of a new name before it moves the settings
 * (devinet_sysctl_register(), addrconf_sysctl_register()); else the errno of the write.
 */
int sysctl_configure(const char *root, const char *ifname, bool host_ipv6, bool *ret_changed);

/** sysctl_rp_filter_all() - net.ipv4.conf.all.rp_filter, or 0 where it cannot be read */
int sysctl_rp_filter_all(const char *root);
