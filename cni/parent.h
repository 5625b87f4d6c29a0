#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Which interface of the host a pod's interface lies on. */

#include "cni/error.h"
#include <net/if.h>

/**
 * parent_find() - the parent of an interface in another network namespace
 * @netns: path of the namespace
 * @ifname: the interface in it
 * @ret: the parent's name in this namespace; "" when there is none: a veth pair, a device of its own
 *
 * The calling thread enters the namespace for the moment of opening a socket.
 *
 * Return: 0; or -EPROTO with *ret_error filled in: the namespace or the interface is not there, no
 * permission.
 */
int parent_find(const char *netns, const char *ifname, char ret[static IFNAMSIZ], CniError *ret_error);
