#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* A network namespace of the test's own, and devices in it. */

#include "util/inaddr.h"
#include "util/macro.h"

/**
 * netns_enter() - give this process a user, network and mount namespace of its own
 *
 * The caller is root in it, without being anybody outside. Call once, before any thread or socket.
 *
 * Return: 0, or the errno with which the kernel forbids it; a test then skips.
 */
int netns_enter(void);

/**
 * netns_plug() - a device appears, as an ENI does: its other end is in another namespace
 * @mac: its MAC address
 * @name: what the kernel calls it; NULL: the next free ethN
 *
 * Return: 0 or negative errno.
 */
int netns_plug(const MacAddr *mac, const char *name);

/** netns_unplug() - the device with this name vanishes; 0 or negative errno */
int netns_unplug(const char *name);

/** netns_send_away() - the device with this name is moved to another namespace; 0 or negative errno */
int netns_send_away(const char *name);

/** netns_bring_back() - and from there back; 0 or negative errno */
int netns_bring_back(const char *name);

/** netns_add_macvlan() - a device on top of another; 0 or negative errno */
int netns_add_macvlan(const char *lower, const char *name, const MacAddr *mac);

/** netns_rename() - somebody else renames a device; 0 or negative errno */
int netns_rename(const char *from, const char *to);

/** netns_set_up() - somebody else sets a device up; 0 or negative errno */
int netns_set_up(const char *name);

/** netns_add_altname() - somebody else gives a device an alternative name; 0 or negative errno */
int netns_add_altname(const char *name, const char *altname);
