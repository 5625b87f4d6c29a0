#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What the EKS AMI's nodeadm has to know of the Multus interfaces: files under /etc/eks. */

#include "util/macro.h"

#define NODEADM_DROP_IN "50-multus-eks.yaml"

enum {
    NODEADM_E_ABSENT = 1, /* no EKS AMI: there is no /etc/eks */
    NODEADM_E_USERS,      /* the user has set the number of pods himself */
};

/**
 * nodeadm_set_max_pods() - have nodeadm reckon the number of pods without our interfaces
 * @root: prefix of /etc/eks; "" outside tests
 * @n_enis: Multus interfaces on network card 0; 0 removes what an earlier run has written
 * @ret_changed: whether a file was written or removed
 * @ret_users: with NODEADM_E_USERS, the file that sets the number, freed by the caller; else untouched
 *
 * A file that is as wanted is not written again. With NODEADM_E_USERS a file of ours is removed, so that
 * the user's value counts whatever its file is called.
 *
 * Return: 0; NODEADM_E_ABSENT; NODEADM_E_USERS; else the errno of the step that failed.
 */
int nodeadm_set_max_pods(const char *root, unsigned n_enis, bool *ret_changed, char **ret_users);

/**
 * nodeadm_disown() - note that an interface is not for nodeadm's hook of udev to configure
 * @root: prefix of /etc/eks; "" outside tests
 * @name: the interface's
 *
 * Return: 0, also where nodeadm keeps no such notes; else the errno of the write.
 */
int nodeadm_disown(const char *root, const char *instance_id, const char *name);

/** nodeadm_sets_max_pods() - whether a file of nodeadm's configuration, YAML or JSON, sets it. Pure. */
bool nodeadm_sets_max_pods(const char *text);
