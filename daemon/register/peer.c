/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Peers of the unix socket. The mode of the socket file already keeps strangers out, but a pod that
 * mounts the socket may run with any user id, and a bind mount outlives a change of the mode: so every
 * connection is checked against what the kernel recorded at connect().
 *
 * SO_PEERCRED holds the primary group only. Members of socket_group usually have it as a supplementary
 * group, which SO_PEERGROUPS tells (Linux 4.13).
 */

#include "register/peer.h"
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

DEFINE_CLEANUP(FILE, fclose)

/* Of one group's entry, with its list of members. More is no group but a broken database. */
#define GROUP_MAX ((size_t)1024 * 1024)

/* Linux allows 65536 groups a process (NGROUPS_MAX); such a peer is told apart by -ERANGE, with the size. */
static int has_supplementary_group(int fd, gid_t group, bool *ret)
{
    _cleanup_(freep) gid_t *groups = NULL;
    socklen_t n = 32 * sizeof(*groups);

    for (;;) {
        gid_t *larger = realloc(groups, n);

        if (!larger)
            return -ENOMEM;
        groups = larger;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == 0)
            break;
        if (errno != ERANGE)
            return -errno;
    }

    *ret = false;
    for (size_t i = 0; i < n / sizeof(*groups); i++)
        if (groups[i] == group)
            *ret = true;
    return 0;
}

int peer_from_socket(int fd, gid_t group, Peer *ret)
{
    struct ucred credentials;
    socklen_t n = sizeof(credentials);
    bool in_group = false;
    int r;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &n) < 0)
        return -errno;

    if (group != PEER_GROUP_NONE) {
        if (credentials.gid == group) {
            in_group = true;
        } else {
            r = has_supplementary_group(fd, group, &in_group);
            if (r < 0)
                return r;
        }
    }

    *ret = (Peer){
        .pid = credentials.pid,
        .uid = credentials.uid,
        .gid = credentials.gid,
        .in_group = in_group,
    };
    return 0;
}

bool peer_is_allowed(const Peer *peer)
{
    return peer->uid == 0 || peer->in_group;
}

int peer_socket_group(int fd, gid_t *ret)
{
    struct sockaddr_un address = {0};
    socklen_t n = sizeof(address) - 1; /* so that the path ends */
    struct stat status;

    if (getsockname(fd, (struct sockaddr *)&address, &n) < 0)
        return -errno;
    if (address.sun_family != AF_UNIX || address.sun_path[0] != '/')
        return -ENOENT;
    if (stat(address.sun_path, &status) < 0)
        return -errno;
    if (!S_ISSOCK(status.st_mode))
        return -ENOENT;
    *ret = status.st_gid;
    return 0;
}

/* Of the databases that nsswitch.conf names. */
static int group_by_nss(const char *name, char **buf, gid_t *ret)
{
    struct group group, *found;
    size_t n = 1024;
    int r;

    /* The size that sysconf() suggests is no upper limit: a group's member list can be longer. */
    do {
        n *= 2;
        free(*buf);
        *buf = malloc(n);
        if (!*buf)
            return -ENOMEM;
        r = getgrnam_r(name, &group, *buf, n, &found);
    } while (r == ERANGE && n < GROUP_MAX);

    if (r != 0)
        return -r;
    if (!found)
        return -ESRCH;
    *ret = group.gr_gid;
    return 0;
}

/* Of /etc/group, whose lines are "name:password:gid:members". */
static int group_by_file(const char *name, char **buf, gid_t *ret)
{
    _cleanup_(fclosep) FILE *file = fopen("/etc/group", "re");
    size_t size = 0, n = strlen(name);
    unsigned long id;

    if (!file)
        return -errno;
    while (getline(buf, &size, file) > 0) {
        const char *text = *buf;
        char *end;

        if (strncmp(text, name, n) != 0 || text[n] != ':')
            continue;
        text = strchr(text + n + 1, ':');
        if (!text || text[1] < '0' || text[1] > '9')
            continue;
        id = strtoul(text + 1, &end, 10);
        if (*end != ':' || id >= PEER_GROUP_NONE)
            continue;
        *ret = (gid_t)id;
        return 0;
    }
    return -ESRCH;
}

/*
 * The file first, where systemd-sysusers puts the group: what nsswitch.conf names may ask a directory
 * server, before there is a network, and even "files systemd" merges, so that finding a group in the file
 * would not keep the second library from being loaded.
 */
int peer_group_by_name(const char *name, gid_t *ret)
{
    _cleanup_(freep) char *buf = NULL;

    if (group_by_file(name, &buf, ret) == 0)
        return 0;
    return group_by_nss(name, &buf, ret);
}
