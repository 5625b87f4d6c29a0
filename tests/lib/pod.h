#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Network namespaces beside the test's own, as pods have them, and what is in them. */

#include "util/inaddr.h"
#include "util/macro.h"

typedef struct Pod Pod;

/**
 * pod_new() - a network namespace
 * @file: mounted there as well, as container runtimes do; NULL: it has no name
 *
 * Return: 0 or negative errno.
 */
int pod_new(Pod **ret, const char *file);

/** pod_mount() - the namespace gets a name: a file that is there already; 0 or negative errno */
int pod_mount(Pod *pod, const char *file);

/** pod_free() - the namespace ends, unless somebody else is in it; its file goes; returns NULL */
Pod *pod_free(Pod *pod);

/**
 * pod_plug() - an interface of the pod above one of ours
 * @parent: name of ours, made with it
 * @name: of the pod's
 * @ret_ifindex: of the parent
 *
 * Both are up. Return: 0 or negative errno.
 */
int pod_plug(Pod *pod, const char *parent, const char *name, int *ret_ifindex);

/** pod_plug_into() - the same above an interface of another pod, with that index there */
int pod_plug_into(Pod *pod, Pod *lower, const char *name, int lower_ifindex);

/** pod_unplug() - an interface of the pod is deleted; 0 or negative errno */
int pod_unplug(Pod *pod, const char *name);

/**
 * pod_address() - add or remove an address, "10.0.0.5/24"
 * @scope: RT_SCOPE_…
 * @flags: IFA_F_…
 *
 * Return: 0 or negative errno.
 */
int pod_address(Pod *pod, bool add, const char *name, const char *address, unsigned scope, uint32_t flags);

/** home_address() - the same for an interface of the test's own namespace */
int home_address(bool add, const char *name, const char *address, unsigned scope, uint32_t flags);

/** pod_nsid() - the id that the pod has in the test's namespace; -ENOENT when it has none */
int pod_nsid(const Pod *pod);

/** pod_nsid_in() - the id that it has in another pod's */
int pod_nsid_in(const Pod *pod, const Pod *other);

/** pod_ifindex() - of an interface of the pod, or negative errno */
int pod_ifindex(const Pod *pod, const char *name);

DEFINE_CLEANUP(Pod, pod_free)
