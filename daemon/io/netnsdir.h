#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Network namespaces that have a name: the files of /run/netns. */

#include "util/macro.h"
#include <systemd/sd-event.h>

typedef struct NetnsDir NetnsDir;

/* There is a network namespace; fd is an open file of it, closed after the call. */
typedef void (*NetnsDirHandler)(const char *name, int fd, void *userdata);

/**
 * netnsdir_new() - watch a directory for namespaces that get a name
 * @path: need not exist yet; its parent directory must
 * @handler: called from inside this call for those that are there, then from the loop for each that comes
 *
 * Return: 0, -ENOMEM, or the errno of inotify, /proc/self/mountinfo and sd-event.
 */
int netnsdir_new(NetnsDir **ret, sd_event *event, const char *path, NetnsDirHandler handler, void *userdata);
NetnsDir *netnsdir_free(NetnsDir *dir);

/** netnsdir_look() - tell all that are there once more; 0, -ENOMEM, or the errno of reading the directory */
int netnsdir_look(NetnsDir *dir);

DEFINE_CLEANUP(NetnsDir, netnsdir_free)
