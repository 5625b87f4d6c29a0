#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses that appear on pod interfaces above one of ours register themselves. */

#include "register/registrar.h"

typedef struct Watch Watch;

/**
 * watch_new() - listen in all network namespaces that have an id here, and look at what is there
 * @registrar: started, with the index of every interface set
 * @netns_dir: "/run/netns": namespaces in it without an id get one; need not exist yet
 *
 * Owners are "watch:<namespace>/<interface>", where the namespace is the name of its file or, if it has
 * none, "nsid" and its id: both stay over a restart. Not registered: link-local and loopback addresses,
 * those of a scope other than global, those whose duplicate detection runs or has failed. What an earlier
 * run registered and is there no more is released. Where the directory cannot be watched that is logged, and
 * tried again with the next namespace.
 *
 * Return: 0; -EPERM without CAP_NET_BROADCAST or CAP_NET_ADMIN; -ENOMEM; an errno of socket() or sd-event.
 */
int watch_new(Watch **ret, sd_event *event, Registrar *registrar, const char *netns_dir);

/** watch_free() - stop; what is registered stays registered; returns NULL */
Watch *watch_free(Watch *watch);

/** watch_look() - look at everything anew: the index of an interface of ours has changed */
void watch_look(Watch *watch);

DEFINE_CLEANUP(Watch, watch_free)
