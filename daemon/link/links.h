#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* All the node's Multus links: seen, named, configured, up. */

#include "io/rtnl.h"
#include "link/link.h"
#include "util/macro.h"
#include "util/time.h"
#include <net/if.h>
#include <systemd/sd-event.h>

typedef struct Links Links;

/**
 * links_new() - listen to the kernel (and to udev, where it runs)
 * @rtnl_handler_slot: links become the handler of rtnl's events: pass links_on_rtnl and the new object to
 * rtnl_new()
 * @handler: called from the loop with every event of every link
 *
 * sysctl_root is "/proc/sys" outside tests. The handler may add links; it may not remove any.
 */
int links_new(Links **ret, sd_event *event, const char *sysctl_root, LinkHandler handler, void *userdata);
Links *links_free(Links *links);

/** links_start() - give it the netlink backend; from now on requests go out. Not owned, must outlive. */
int links_start(Links *links, Rtnl *rtnl);

/**
 * links_set_drivers() - where drivers for DPDK are, before the first links_add()
 * @host: copied; its strings must outlive the links. Without it no link may have a driver.
 */
void links_set_drivers(Links *links, const DriverHost *host);

/**
 * links_settle() - the node is ready; NULL is fine
 *
 * From now on a link that is up and that somebody renames is renamed back after a while only: a CNI plugin
 * does that before it moves a device into a pod, and looks for it by that name.
 */
void links_settle(Links *links);

/** links_on_rtnl() - RtnlEventHandler; userdata is the Links */
void links_on_rtnl(const RtnlEvent *event, void *userdata);

/**
 * links_claim() - reserve a MAC before its device may appear
 *
 * Writes the claim file that the udev rule reads, so that no other manager takes the device.
 * @claims_dir: "/run/multus-eks/claims"
 * @name: temporary name for udev to give, such as "multus1"
 * @up: the device has been up under that name
 *
 * Return: 0 or the errno of the write.
 */
int links_claim(const char *claims_dir, const MacAddr *mac, const char *name, bool up);

/** links_claimed_up() - whether the claim says that the device has been up under that name */
bool links_claimed_up(const char *claims_dir, const MacAddr *mac, const char *name);

/** links_unclaim() - remove a claim; absent is fine */
int links_unclaim(const char *claims_dir, const MacAddr *mac);

/**
 * links_add() - a device with this MAC is to come, or is there already
 * @spec: copied
 * @ret: the link; owned by links, valid until links_remove() or links_free()
 *
 * Return: 0; -EEXIST when the MAC or the name is another link's already; -ENOMEM.
 */
int links_add(Links *links, const LinkSpec *spec, Link **ret);

/**
 * links_expect() - the device is due from now on: EC2 has accepted the attachment
 *
 * Starts the clocks of LINK_EVENT_SLOW and of spec.timeout; until then links_add() only listens, so
 * that throttled calls do not count against the device. No effect once the device is there.
 */
void links_expect(Links *links, Link *link);

/** links_remove() - forget a link; the device is left as it is */
void links_remove(Links *links, Link *link);

/**
 * links_overrides() - kernel settings for all interfaces that defeat ours
 * @ret: one sentence each, caller releases; empty when there is none
 *
 * Return: 0 or -ENOMEM.
 */
int links_overrides(const Links *links, StrList *ret);

/** links_find() - the link of a MAC, or NULL */
Link *links_find(Links *links, const MacAddr *mac);

DEFINE_CLEANUP(Links, links_free)
