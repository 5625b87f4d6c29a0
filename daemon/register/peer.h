#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Who is at the other end of a unix socket. */

#include "util/macro.h"
#include <sys/types.h>

#define PEER_GROUP_NONE ((gid_t)-1)

typedef struct Peer {
    pid_t pid; /* 0 when it is in a pid namespace that is not visible here */
    uid_t uid;
    gid_t gid;
    bool in_group; /* of the group asked about, by its primary or a supplementary group */
} Peer;

/**
 * peer_from_socket() - the kernel's word on who connected
 * @fd: a connected unix stream socket
 * @group: to look for among the peer's groups, or PEER_GROUP_NONE
 *
 * The credentials are those at the time of connect(): a program that dropped its privileges
 * afterwards keeps the connection it has.
 *
 * Return: 0, -ENOMEM, or the errno of getsockopt().
 */
int peer_from_socket(int fd, gid_t group, Peer *ret);

/** peer_is_allowed() - root, or in the group that was asked about */
bool peer_is_allowed(const Peer *peer);

/**
 * peer_socket_group() - the group of the file that a listening unix socket is bound to
 *
 * Return: 0; -ENOENT when it has no file, or that has been replaced; or the errno of getsockname(), stat().
 */
int peer_socket_group(int fd, gid_t *ret);

/**
 * peer_group_by_name() - the id of a group of this host
 *
 * Return: 0, -ESRCH when there is no such group, -ENOMEM, or the errno of getgrnam_r().
 */
int peer_group_by_name(const char *name, gid_t *ret);
